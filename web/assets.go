package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed all:dist
var dist embed.FS

//go:embed assets/icon.svg
var iconFile []byte

// assets are the files the pages load: bundled script and style, and the icon.
type assets struct {
	prefix string // the path under which this very content is served
	files  map[string][]byte
}

// loadAssets reads the embedded bundle. It fails where the binary was built
// without one.
func loadAssets() (*assets, error) {
	a := &assets{files: map[string][]byte{"icon.svg": iconFile}}
	entries, err := fs.ReadDir(dist, "dist")
	if err != nil {
		return nil, fmt.Errorf("read the bundled script and style: %w", err)
	}
	hash := sha256.New()
	for _, entry := range entries {
		content, err := fs.ReadFile(dist, path.Join("dist", entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the bundled %s: %w", entry.Name(), err)
		}
		fmt.Fprintf(hash, "%s %d ", entry.Name(), len(content))
		hash.Write(content)
		a.files[entry.Name()] = content
	}
	hash.Write(iconFile)
	for _, name := range []string{"app.js", "app.css"} {
		if a.files[name] == nil {
			return nil, fmt.Errorf("the binary was built without %s: say make assets, then build it again", name)
		}
	}
	a.prefix = "/static/" + hex.EncodeToString(hash.Sum(nil)[:8])
	return a, nil
}

// serve answers a file by the path behind /static/. Another hash than ours is a
// page of another version: its files are not here.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	name, ours := strings.CutPrefix(r.URL.Path, a.prefix+"/")
	content, found := a.files[name]
	if !ours || !found {
		http.Error(w, "not here: load the page again", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	_, _ = w.Write(content) // whoever went away needs no answer
}
