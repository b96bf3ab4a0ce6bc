package wire_test

import (
	"bytes"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/internal/wire"
)

func Example() {
	start, sent := wire.AppendMsgStart(nil, 1, 0, 0)
	sent = append(sent, bsoncore.NewDocumentBuilder().AppendInt32("ping", 1).AppendString("$db", "admin").Build()...)
	sent = wire.AppendMsgEnd(sent, start)

	raw, err := wire.Read(bytes.NewReader(sent), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := wire.Decode(raw)
	fmt.Println(m.Body.Lookup("$db").StringValue(), err)
	// Output: admin <nil>
}
