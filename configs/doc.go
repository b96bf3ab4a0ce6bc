// Package configs holds the presets: complete worlds to begin with, as commented geoshard.yaml documents. It is data only; package
// topology reads it.
//
//	src, err := configs.Read("nyc-lon-syd")
package configs
