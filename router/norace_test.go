//go:build !race

package router_test

const forgotten = 0
