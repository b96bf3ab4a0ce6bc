//go:build !unix

package demo_test

import "os/exec"

// ownGroup is about interrupts, which this system has none of.
func ownGroup(*exec.Cmd) {}
