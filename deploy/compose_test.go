package deploy_test

import (
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"plumbline/configs"
)

// compose is the composition as `docker compose config` resolves it.
func compose(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../docker-compose.yml"})
	must(t, err)
	project, err := options.LoadProject(t.Context())
	must(t, err)
	return project
}

// stores are the services that hold data; nobody outside reaches them.
func stores() []string { return []string{"postgres", "mongodb", "mariadb", "redis"} }

func plumblines() []string { return []string{"plumbline-1", "plumbline-2"} }

// once are the services that do one thing and end.
func once() []string { return []string{"first-account", "redis-prices"} }

func TestCompositionHasItsServices(t *testing.T) {
	t.Parallel()
	project := compose(t)
	want := slices.Concat(stores(), plumblines(), once(), []string{"prometheus", "grafana"})
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(project.Services)); !slices.Equal(got, want) {
		t.Errorf("services are %v, want %v", got, want)
	}
	one, two := project.Services["plumbline-1"], project.Services["plumbline-2"]
	one.Name, one.Ports, two.Name, two.Ports = "", nil, "", nil
	if diff := cmp.Diff(one, two); diff != "" {
		t.Errorf("the two Plumblines are not alike:\n%s", diff)
	}
}

func TestNoServiceHasMorePowerThanItNeeds(t *testing.T) {
	t.Parallel()
	for name, s := range compose(t).Services {
		user, _, _ := strings.Cut(s.User, ":")
		switch {
		case s.Privileged, s.NetworkMode != "", s.Pid != "", s.Ipc != "", len(s.CapAdd) > 0, len(s.Devices) > 0:
			t.Errorf("%s is privileged, or shares something with its host", name)
		case !s.ReadOnly, !slices.Equal(s.CapDrop, []string{"ALL"}), !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}):
			t.Errorf("%s keeps powers it does not need", name)
		case user == "", user == "0", user == "root":
			t.Errorf("%s runs as %q", name, s.User)
		}
		for variable, value := range s.Environment {
			if strings.Contains(variable, "PASSWORD") && !strings.HasSuffix(variable, "_FILE") || value == nil {
				t.Errorf("%s gets %s in its environment: hand it over as a file", name, variable)
			}
		}
	}
}

func TestOnlyThisMachineReachesWhatIsPublished(t *testing.T) {
	t.Parallel()
	project := compose(t)
	published := map[string]string{}
	for name, s := range project.Services {
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" || published[port.Published] != "" {
				t.Errorf("%s is published at %s:%s, as is %s", name, port.HostIP, port.Published, published[port.Published])
			}
			published[port.Published] = name
		}
	}
	for _, name := range stores() {
		s := project.Services[name]
		for network := range s.Networks {
			if len(s.Ports) > 0 || !project.Networks[network].Internal {
				t.Errorf("%s can be reached from outside", name)
			}
		}
	}
	for _, name := range slices.Concat(plumblines(), []string{"prometheus", "grafana"}) {
		if _, front := project.Services[name].Networks["front"]; !front || len(project.Services[name].Ports) != 1 {
			t.Errorf("%s cannot be looked at", name)
		}
	}
}

// What is waited for can be healthy, what stays says how it is, and every image
// is of a version that was chosen.
func TestServicesStartInOrder(t *testing.T) {
	t.Parallel()
	project := compose(t)
	image := read(t, "../Dockerfile")
	for name, s := range project.Services {
		for other, wait := range s.DependsOn {
			healthy := project.Services[other].HealthCheck
			switch {
			case wait.Condition == types.ServiceConditionCompletedSuccessfully && slices.Contains(once(), other):
			case wait.Condition != types.ServiceConditionHealthy || healthy == nil || len(healthy.Test) < 2:
				t.Errorf("%s waits for %s to be %s", name, other, wait.Condition)
			}
		}
		if s.Build != nil {
			if s.Image != "plumbline" || !strings.Contains(image, "\nHEALTHCHECK ") {
				t.Errorf("%s is built as %q, and nothing says how it is", name, s.Image)
			}
			continue
		}
		if _, tag, found := strings.Cut(s.Image, ":"); !found || tag == "latest" {
			t.Errorf("%s runs any version of %s", name, s.Image)
		}
		if !slices.Contains(once(), name) && s.HealthCheck == nil {
			t.Errorf("nothing says how %s is", name)
		}
	}
}

func TestWhatIsMountedIsThere(t *testing.T) {
	t.Parallel()
	project := compose(t)
	secrets := makeSecrets(t)
	for name, s := range project.Services {
		for _, v := range s.Volumes {
			if _, declared := project.Volumes[v.Source]; v.Type == types.VolumeTypeVolume && !declared {
				t.Errorf("%s keeps its data in %q, which is no volume", name, v.Source)
			}
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
				t.Errorf("%s: %s is not there, or may be written: %v", name, v.Source, err)
			}
		}
		for _, secret := range s.Secrets {
			file := project.Secrets[secret.Source].File
			if _, err := os.Stat(filepath.Join(secrets, filepath.Base(file))); err != nil || filepath.Base(file) != secret.Source {
				t.Errorf("%s gets the secret %s from %q, which deploy/compose/secrets.sh does not make", name, secret.Source, file)
			}
		}
	}
}

// makeSecrets runs the script that makes the composition's secrets, and answers
// where they are.
func makeSecrets(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "secrets")
	if out, err := exec.CommandContext(t.Context(), "sh", "compose/secrets.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("make the secrets: %v\n%s", err, out)
	}
	return dir
}

func TestSecretsAreMadeOnce(t *testing.T) {
	t.Parallel()
	dir := makeSecrets(t)
	info, err := os.Stat(dir)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("others may look into the secrets: %v", info.Mode())
	}
	first := secretsIn(t, dir)
	values := map[string]string{}
	for name, value := range first {
		if len(value) < 24 || values[value] != "" {
			t.Errorf("%s is short, or the same as %s", name, values[value])
		}
		values[value] = name
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "compose/secrets.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("make the secrets again: %v\n%s", err, out)
	}
	if !maps.Equal(first, secretsIn(t, dir)) {
		t.Error("what was there has changed")
	}
	if !strings.Contains(read(t, "compose/.gitignore"), "/secrets/") {
		t.Error("the secrets could be committed")
	}
}

func secretsIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	all := map[string]string{}
	for _, entry := range entries {
		all[entry.Name()] = strings.TrimSpace(read(t, filepath.Join(dir, entry.Name())))
	}
	return all
}

// The configuration of both Plumblines loads with the secrets it is given, and
// Prometheus asks them where they tell their metrics.
func TestConfigurationFitsTheComposition(t *testing.T) {
	t.Parallel()
	project, secrets := compose(t), makeSecrets(t)
	serving := project.Services["plumbline-1"]
	readFile := func(file string) ([]byte, error) {
		name, ours := strings.CutPrefix(file, "/run/secrets/")
		given := slices.ContainsFunc(serving.Secrets, func(s types.ServiceSecretConfig) bool { return s.Source == name })
		if !ours || !given {
			return nil, fmt.Errorf("%s is not handed to it", file)
		}
		return os.ReadFile(filepath.Join(secrets, name))
	}
	config, err := configs.Load("compose/plumbline.yaml", os.LookupEnv, readFile)
	must(t, err)
	if !strings.HasPrefix(config.Ledger.Reveal(), "postgres://plumbline_ledger:") {
		t.Error("the ledger is not in PostgreSQL")
	}
	if len(config.Checks) != 5 || len(config.Schedules) != 5 {
		t.Errorf("it has %d checks and %d schedules", len(config.Checks), len(config.Schedules))
	}
	_, port, err := net.SplitHostPort(config.Server.Listen)
	must(t, err)
	for _, name := range plumblines() {
		if ports := project.Services[name].Ports; len(ports) != 1 || fmt.Sprint(ports[0].Target) != port {
			t.Errorf("%s publishes %+v, and listens at %s", name, ports, port)
		}
	}

	_, port, err = net.SplitHostPort(config.Server.Metrics)
	must(t, err)
	var prometheus struct {
		Scrapes []struct {
			Job     string `yaml:"job_name"`
			Targets []struct {
				Targets []string
			} `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	must(t, yaml.Unmarshal([]byte(read(t, "prometheus/prometheus.yml")), &prometheus))
	var want []string
	for _, name := range plumblines() {
		want = append(want, name+":"+port)
	}
	if first := prometheus.Scrapes[0]; first.Job != "plumbline" || !slices.Equal(first.Targets[0].Targets, want) {
		t.Errorf("Prometheus asks %+v, want %v", first, want)
	}
}
