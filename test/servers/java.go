package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// jdk is a Java that is installed here.
type jdk struct {
	home    string
	version int
}

func (j jdk) java() string { return filepath.Join(j.home, "bin", "java") }

// newestJDK finds the newest Java of at least 17, in Debian's place for them and in JAVA_HOME.
func newestJDK(t T) jdk {
	t.Helper()
	homes, _ := filepath.Glob("/usr/lib/jvm/*") // the pattern is right
	if home := os.Getenv("JAVA_HOME"); home != "" {
		homes = append(homes, home)
	}
	var newest jdk
	for _, home := range homes {
		if v := javaVersion(home); v > newest.version {
			newest = jdk{home, v}
		}
	}
	if newest.version < 17 {
		t.Fatalf("servers: no Java of version 17 or newer in /usr/lib/jvm or JAVA_HOME: apt-get install -y openjdk-17-jdk-headless")
	}
	return newest
}

var releaseVersion = regexp.MustCompile(`(?m)^JAVA_VERSION="(\d+)`)

// javaVersion reads the major version from the file "release"; 0 is none.
func javaVersion(home string) int {
	if _, err := exec.LookPath(filepath.Join(home, "bin", "java")); err != nil {
		return 0
	}
	text, err := os.ReadFile(filepath.Join(home, "release"))
	if err != nil {
		return 0
	}
	match := releaseVersion.FindSubmatch(text)
	if match == nil {
		return 0
	}
	version, _ := strconv.Atoi(string(match[1]))
	return version
}
