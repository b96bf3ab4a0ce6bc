// Package demo is the command line of the program cartdemo, which sets up and serves the demonstration shop of package cart/server.
//
//	cartdemo setup --name geoshard
//	cartdemo serve --name geoshard --dc LON --listen 127.0.0.1:8082
package demo
