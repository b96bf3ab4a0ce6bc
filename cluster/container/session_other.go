//go:build !unix

package container

import "syscall"

func ownSession() *syscall.SysProcAttr { return nil }
