// Package clusterflag reads the flags by which all programs name a cluster: --name for a local one, --uri and --uri-file for any other. The programs
// define the flags themselves, and say what holds where none is given.
//
//	switch flag, err := clusterflag.Given(cmd.Flags()); flag {
//	case "--uri-file":
//		uri, err = clusterflag.ReadURI(file)
//	}
package clusterflag
