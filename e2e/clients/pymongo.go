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
	python, err := Python(ctx, "pymongo-"+PyMongoVersion, "pymongo=="+PyMongoVersion)
	if err != nil {
		return nil, err
	}
	return &Client{
		Name: "pymongo", Version: PyMongoVersion, Extension: ".py", env: python.Env,
		command: func(s Script) []string { return []string{python.Path, s.Path} },
	}, nil
}

// An Interpreter is a Python that has some packages.
type Interpreter struct {
	Path string
	// Env are the variables that it needs beside the usual ones.
	Env []string
}

// Python returns a Python that has packages of pip's, installed at the first call on a machine under the name, which says their versions. The requirements are
// arguments of pip install: pinned packages, or -r and a file of them. Without Python 3 and pip it returns ErrMissing.
func Python(ctx context.Context, name string, requirements ...string) (*Interpreter, error) {
	python, err := program("python3")
	if err != nil {
		return nil, err
	}
	dir, err := ensure(ctx, name, func(dir string) error { return installPython(ctx, python, dir, requirements) })
	if err != nil {
		return nil, err
	}
	env := []string{"PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"}
	if own := filepath.Join(dir, "bin", "python3"); isFile(own) {
		python = own
	} else {
		env = append(env, "PYTHONPATH="+dir)
	}
	return &Interpreter{Path: python, Env: env}, nil
}

// installPython makes a virtual environment. Some distributions ship a Python that cannot: there pip installs into a plain directory.
func installPython(ctx context.Context, python, dir string, requirements []string) error {
	install := append([]string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check"}, requirements...)
	venvErr := run(ctx, python, "-m", "venv", dir)
	if venvErr == nil {
		return run(ctx, filepath.Join(dir, "bin", "python3"), install...)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove a half virtual environment: %w", err)
	}
	if err := exec.CommandContext(ctx, python, "-m", "pip", "--version").Run(); err != nil {
		return errors.Join(fmt.Errorf("pip and venv of python3: %w", ErrMissing), venvErr)
	}
	return run(ctx, python, append(install, "--target", dir)...)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
