package deploy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// instruction is one of the Dockerfile's, with its continued lines joined.
type instruction struct{ name, args string }

// stages are the Dockerfile's instructions, by stage.
func stages(t *testing.T) [][]instruction {
	t.Helper()
	var all [][]instruction
	text := strings.ReplaceAll(read(t, "../Dockerfile"), "\\\n", "")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, args, _ := strings.Cut(line, " ")
		if name == "FROM" {
			all = append(all, nil)
		}
		if len(all) == 0 {
			t.Fatalf("the Dockerfile begins with %s", name)
		}
		all[len(all)-1] = append(all[len(all)-1], instruction{name, strings.TrimSpace(args)})
	}
	return all
}

func TestImageHasNoShellAndNoRoot(t *testing.T) {
	t.Parallel()
	all := stages(t)
	image := map[string]string{}
	for _, i := range all[len(all)-1] {
		if i.name == "RUN" || i.name == "ADD" {
			t.Errorf("the image itself runs or fetches something: %s %s", i.name, i.args)
		}
		image[i.name] = i.args
	}
	if !strings.HasPrefix(image["FROM"], "gcr.io/distroless/static-debian") || image["USER"] != "65532:65532" {
		t.Errorf("the image is %q as %q", image["FROM"], image["USER"])
	}
	for name, want := range map[string]string{"ENTRYPOINT": "/plumbline", "CMD": "serve", "VOLUME": "/var/lib/plumbline"} {
		var words []string
		if err := json.Unmarshal([]byte(image[name]), &words); err != nil || len(words) != 1 || words[0] != want {
			t.Errorf("%s is %q, want %q without a shell", name, image[name], want)
		}
	}
	_, check, _ := strings.Cut(image["HEALTHCHECK"], "CMD ")
	var words []string
	if err := json.Unmarshal([]byte(check), &words); err != nil || len(words) < 2 || words[0] != "/plumbline" {
		t.Errorf("HEALTHCHECK is %q, want our own program without a shell", check)
	}
}

// The image is built as `make build` builds, from files that are sent to be built.
func TestImageIsBuiltAsByMake(t *testing.T) {
	t.Parallel()
	all, makefile, ignored := stages(t), read(t, "../Makefile"), strings.Fields(read(t, "../.dockerignore"))
	built := false
	for _, stage := range all {
		if !strings.Contains(stage[0].args, ":") {
			t.Errorf("any version will do for %s", stage[0].args)
		}
		for _, i := range stage {
			words := strings.Fields(i.args)
			if i.name == "COPY" && !strings.HasPrefix(words[0], "--from") {
				for _, source := range words[:len(words)-1] {
					if _, err := os.Stat(filepath.Join("..", source)); err != nil {
						t.Errorf("COPY %s: %v", source, err)
					}
					for _, pattern := range ignored {
						if source == pattern || strings.HasPrefix(source, pattern+"/") {
							t.Errorf("COPY %s: .dockerignore leaves it out", source)
						}
					}
				}
			}
			if i.name == "RUN" && strings.Contains(i.args, "go build") {
				built = true
				if !strings.Contains(i.args, "CGO_ENABLED=0") || !strings.Contains(i.args, "-trimpath") ||
					!strings.Contains(i.args, "-s -w -X main.version=") || !strings.Contains(makefile, "-s -w -X main.version=") {
					t.Errorf("it is built by %s", i.args)
				}
			}
			if i.name == "RUN" && strings.Contains(i.args, "npm ci") && !strings.Contains(makefile, "npm ci --include=dev --ignore-scripts --no-audit --no-fund --loglevel=error") {
				t.Errorf("the pages are bundled by %s", i.args)
			}
		}
	}
	if !built {
		t.Error("nothing is built")
	}
	for _, never := range []string{".git", "deploy", "**/node_modules"} { // history, secrets, what npm brings itself
		if !strings.Contains("\n"+strings.Join(ignored, "\n")+"\n", "\n"+never+"\n") {
			t.Errorf(".dockerignore does not leave %s out", never)
		}
	}
}
