package all

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestEveryKindRunsTheConformanceSuite reads the tests of each registered
// kind's package: an adapter whose tests do not call sourcetest.Run is none, and
// one that can write calls RunWriter too.
func TestEveryKindRunsTheConformanceSuite(t *testing.T) {
	for kind := range Kinds() {
		files, err := filepath.Glob(filepath.Join("..", kind, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		calls, writes := 0, 0
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			calls += callsOf(parsed, "Run")
			writes += callsOf(parsed, "RunWriter")
		}
		if writer := writes > 0; writer != writesRecords(t, kind) {
			t.Errorf("sources/%s can write: %v; its tests call sourcetest.RunWriter: %v", kind, !writer, writer)
		}
		if calls == 0 {
			t.Errorf("sources/%s is registered as a kind, and none of its %d test files calls sourcetest.Run", kind, len(files))
		}
	}
}

// writesRecords says whether a kind's package has what makes its source a writer.
func writesRecords(t *testing.T, kind string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", kind, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "Preflight" {
				return true
			}
		}
	}
	return false
}

// callsOf counts the calls of a function of the package sourcetest, by whatever
// name the file imports it.
func callsOf(file *ast.File, function string) (calls int) {
	name := ""
	for _, imported := range file.Imports {
		if path, err := strconv.Unquote(imported.Path.Value); err != nil || !strings.HasSuffix(path, "/sources/sourcetest") {
			continue
		}
		if name = "sourcetest"; imported.Name != nil {
			name = imported.Name.Name
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if selected, ok := call.Fun.(*ast.SelectorExpr); ok && selected.Sel.Name == function {
			if of, ok := selected.X.(*ast.Ident); ok && name != "" && of.Name == name {
				calls++
			}
		}
		return true
	})
	return calls
}

// TestEveryAdapterIsRegistered looks the other way: a folder beside this one
// that opens sources is in the list, but for those that only serve tests.
func TestEveryAdapterIsRegistered(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join("..", "*", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := Kinds()
	for _, path := range folders {
		folder := filepath.Base(filepath.Dir(path))
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declared := range parsed.Decls {
			if f, ok := declared.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "Open" && kinds[folder] == nil {
				t.Errorf("sources/%s has an Open and is not in Kinds", folder)
			}
		}
	}
}
