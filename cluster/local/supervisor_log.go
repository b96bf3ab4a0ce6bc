package local

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
)

const (
	// supervisorLogEnd follows the name in the file name of a detached supervisor's log.
	supervisorLogEnd = ".log"
	// supervisorLogText begins it: another file of that name is neither written nor removed.
	supervisorLogText = "geoshard: what the supervisor of this cluster has to say\n"
)

// openSupervisorLog opens our log for appending, or a new one; ErrForeign when somebody else's file has its name.
func openSupervisorLog(path string) (*os.File, error) {
	if err := writeNew(path, []byte(supervisorLogText)); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := examineSupervisorLog(path); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
}

// examineSupervisorLog returns ErrForeign for a file that is not our log.
func examineSupervisorLog(path string) error {
	switch text, err := readRegular(path); {
	case errors.Is(err, fs.ErrNotExist), err == nil && bytes.HasPrefix(text, []byte(supervisorLogText)):
		return nil
	default:
		return foreign(path, "the log of a detached cluster would have that name")
	}
}

// removeSupervisorLog removes our log, if there is one.
func removeSupervisorLog(path string) error {
	if examineSupervisorLog(path) != nil {
		return nil // somebody else's
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
