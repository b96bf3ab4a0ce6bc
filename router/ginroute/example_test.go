package ginroute_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/router/ginroute"
	"github.com/geoshard/geoshard/topology"
)

func Example() {
	src, _ := configs.Read("nyc-lon-syd")
	world, _ := topology.Parse("nyc-lon-syd", src)
	table, err := router.NewTable(world)
	if err != nil {
		panic(err)
	}
	route, err := ginroute.New(ginroute.Options{Table: table, Here: "NYC"})
	if err != nil {
		panic(err)
	}

	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(route)
	engine.PUT("/carts/:handle", func(c *gin.Context) { c.String(http.StatusOK, "served, home %s", ginroute.From(c).Home) })

	for _, home := range []string{"NYC", "LON"} {
		w := httptest.NewRecorder()
		engine.ServeHTTP(w, httptest.NewRequest("PUT", "/carts/"+home+".01K4B4B2V8G3T0000000000000", nil))
		fmt.Println(w.Code, w.Header().Get("Location"), w.Body)
	}
	// Output:
	// 200  served, home NYC
	// 307 http://127.0.0.1:8082/carts/LON.01K4B4B2V8G3T0000000000000?geoshard-hop=1
}
