package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settled is how long files have to be quiet before they count as written.
const settled = 100 * time.Millisecond

// WatchFiles calls changed when the content of one of the files is another, or a signal comes, until the context ends. Editors and
// Kubernetes put new files in the place of old ones, so the directories are watched. Calls do not overlap.
func WatchFiles(ctx context.Context, files []string, again <-chan os.Signal, changed func()) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch files: %w", err)
	}
	defer watcher.Close()
	for _, file := range files {
		if err := watcher.Add(filepath.Dir(file)); err != nil { // once more does no harm
			return fmt.Errorf("watch %s: %w", filepath.Dir(file), err)
		}
	}
	before := contents(files)
	quiet := time.NewTimer(0) // at once, for what changed before the watch began
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again:
			before = contents(files)
			changed()
		case <-watcher.Errors: // events were lost: look
			quiet.Reset(settled)
		case <-watcher.Events:
			quiet.Reset(settled)
		case <-quiet.C:
			if now := contents(files); !bytes.Equal(before, now) {
				before = now
				changed()
			}
		}
	}
}

// contents is a digest of what is in the files. One that cannot be read has none.
func contents(files []string) []byte {
	h := sha256.New()
	for _, file := range files {
		text, err := os.ReadFile(file)
		fmt.Fprintf(h, "%d %v\n", len(text), err == nil)
		h.Write(text)
	}
	return h.Sum(nil)
}
