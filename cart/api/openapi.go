package api

import (
	_ "embed"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/goccy/go-yaml"
)

//go:embed openapi.yaml
var openapi []byte

// Document is the OpenAPI document as JSON.
func Document() ([]byte, error) {
	document, err := yaml.YAMLToJSON(openapi)
	if err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	return document, nil
}

func (a *api) openAPI(c *gin.Context) {
	a.stamp(c)
	c.Data(http.StatusOK, "application/json", a.document)
}
