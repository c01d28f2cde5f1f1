package deploy_test

import (
	"encoding/json"
	"path"
	"testing"

	"github.com/goccy/go-yaml"
)

// dashboard is as much of the dashboard as the tests look at.
type dashboard struct {
	UID, Title string
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []panel
}

type panel struct {
	ID                 int
	Type               string
	Title, Description string
	GridPos            struct{ H, W, X, Y int }
	Datasource         struct{ UID string }
	Targets            []struct {
		RefID, Expr string
		Datasource  struct{ UID string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	must(t, json.Unmarshal([]byte(read(t, "grafana/dashboards/plumbline.json")), &d))
	return d
}

// dashboardExpressions is everything that the dashboard asks Prometheus.
func dashboardExpressions(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			list = append(list, target.Expr)
		}
	}
	if len(list) < 20 {
		t.Fatalf("the dashboard asks %d things", len(list))
	}
	return list
}

func TestDashboardShowsWhatIsMeasured(t *testing.T) {
	t.Parallel()
	d, known := readDashboard(t), documented(t)
	if d.UID != "plumbline" || len(d.Templating.List) != 2 || d.Templating.List[0].Type != "datasource" {
		t.Errorf("got %q with variables %+v", d.UID, d.Templating.List)
	}
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.W < 1 || p.GridPos.H < 1 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d, %q, stands at %+v", p.ID, p.Title, p.GridPos)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				cell := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other := cells[cell]; other != "" && other != p.Title {
					t.Errorf("%q lies over %q", p.Title, other)
				}
				cells[cell] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 || p.Description == "" {
			t.Errorf("%q asks nothing, or says nothing of itself", p.Title)
		}
		for _, target := range p.Targets {
			if target.Datasource.UID != "${datasource}" {
				t.Errorf("%q asks %q", p.Title, target.Datasource.UID)
			}
			for _, wrong := range useOf(target.Expr, known) {
				t.Errorf("%q: %s in docs/metrics.md", p.Title, wrong)
			}
		}
	}
}

// The provisioned data source and dashboard are where the composition puts them.
func TestGrafanaIsProvisioned(t *testing.T) {
	t.Parallel()
	var providers struct {
		Providers []struct {
			Type    string
			Options struct{ Path string }
		}
	}
	must(t, yaml.Unmarshal([]byte(read(t, "grafana/provisioning/dashboards/plumbline.yaml")), &providers))
	var sources struct {
		Datasources []struct {
			Type, URL string
			IsDefault bool `yaml:"isDefault"`
		}
	}
	must(t, yaml.Unmarshal([]byte(read(t, "grafana/provisioning/datasources/prometheus.yaml")), &sources))
	if len(sources.Datasources) != 1 || sources.Datasources[0].Type != "prometheus" || !sources.Datasources[0].IsDefault ||
		sources.Datasources[0].URL != "http://prometheus:9090" {
		t.Errorf("data sources are %+v", sources.Datasources)
	}
	grafana := compose(t).Services["grafana"]
	mounted := map[string]string{}
	for _, v := range grafana.Volumes {
		mounted[v.Target] = v.Source
	}
	for _, p := range providers.Providers {
		if p.Type != "file" || path.Base(mounted[p.Options.Path]) != "dashboards" {
			t.Errorf("dashboards come from %+v, mounted are %v", p, mounted)
		}
	}
	if home := grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]; home == nil || *home != "/etc/grafana/dashboards/plumbline.json" {
		t.Errorf("the first dashboard is %v", home)
	}
}
