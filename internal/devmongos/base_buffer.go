package devmongos

import "sync"

// maxPooledBuffer keeps the memory of the rare large message from being held for ever.
const maxPooledBuffer = 1 << 20

// A buffer holds the bytes of one message. Documents decoded from it are valid until it is released.
type buffer struct{ bytes []byte }

var buffers = sync.Pool{New: func() any { return &buffer{bytes: make([]byte, 0, 4096)} }}

func newBuffer() *buffer { return buffers.Get().(*buffer) }

func (b *buffer) release() {
	if b == nil || cap(b.bytes) > maxPooledBuffer {
		return
	}
	b.bytes = b.bytes[:0]
	buffers.Put(b)
}
