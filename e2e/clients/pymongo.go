package clients

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// PyMongoVersion is the pinned version of PyMongo.
const PyMongoVersion = "4.20.0"

// PyMongo returns a Python with PyMongo in its pinned version, installed by pip at the first call on a machine. Without Python 3 it returns ErrMissing.
func PyMongo(ctx context.Context) (*Client, error) {
	python, err := program("python3")
	if err != nil {
		return nil, err
	}
	dir, err := ensure(ctx, "pymongo-"+PyMongoVersion, func(dir string) error { return installPyMongo(ctx, python, dir) })
	if err != nil {
		return nil, err
	}
	env := []string{"PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"}
	if own := filepath.Join(dir, "bin", "python3"); isFile(own) {
		python = own
	} else {
		env = append(env, "PYTHONPATH="+dir)
	}
	return &Client{
		Name: "pymongo", Version: PyMongoVersion, Extension: ".py", env: env,
		command: func(s Script) []string { return []string{python, s.Path} },
	}, nil
}

// installPyMongo makes a virtual environment. Some distributions ship a Python that cannot: there pip installs into a plain directory.
func installPyMongo(ctx context.Context, python, dir string) error {
	wanted := "pymongo==" + PyMongoVersion
	venvErr := run(ctx, python, "-m", "venv", dir)
	if venvErr == nil {
		return run(ctx, filepath.Join(dir, "bin", "python3"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wanted)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove a half virtual environment: %w", err)
	}
	if err := exec.CommandContext(ctx, python, "-m", "pip", "--version").Run(); err != nil {
		return errors.Join(fmt.Errorf("pip and venv of python3: %w", ErrMissing), venvErr)
	}
	return run(ctx, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", dir, wanted)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
