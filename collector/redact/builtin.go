package redact

import (
	"bytes"
	"slices"
)

// builtins are the rules that weir brings. docs/security.md tells what each of them is about.
func builtins() []rule {
	return slices.Concat(
		[]rule{
			{name: "name", texts: secretNames, find: at(findNamed)},
			{name: "name", texts: shortNames, find: at(findShortNamed)},
			{name: "header", texts: headerNames, find: at(findHeader)},
			{name: "header", texts: []string{"bearer"}, find: at(findBearer)},
			{name: "url", texts: []string{"://"}, find: at(findURL)},
			{name: "private_key", texts: []string{"-----begin"}, find: at(findPrivateKey)},
			{name: "token", texts: []string{"eyj"}, find: at(findJWT)},
		},
		tokens(),
		[]rule{
			login(),
			attached('p', "mysql", "mariadb", "7z", "rar", "unrar"),
			option('p', "sshpass", "skopeo", "mongo", "rdesktop"),
			ofLogin('p', "docker", "podman", "helm"),
			option('P', "unzip", "zip", "sqlcmd", "bcp", "ipmitool"),
			option('a', "redis-cli", "valkey-cli", "keydb-cli"),
			option('w', "ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldappasswd", "ldapwhoami"),
		},
	)
}

// at makes a rule's function of one that looks around each place. Such rules alone say what is covered: a rule that
// looks at all of the text finds secrets before which others are not found yet.
func at(find func(p *pass, end int)) func(p *pass, end int) bool {
	return func(p *pass, end int) bool {
		if end > p.covered.from && end <= p.covered.to {
			return false
		}
		before := len(p.secrets)
		find(p, end)
		for _, found := range p.secrets[before:] {
			if found.to > p.covered.to {
				p.covered = found
			}
		}
		return false
	}
}

// headerNames are of HTTP headers whose whole value is secret.
var headerNames = []string{"authorization", "cookie", "private-token", "x-auth-token", "x-vault-token", "x-amz-security-token"}

// findHeader finds the value of a header: Authorization: Basic X.
func findHeader(p *pass, end int) {
	at := p.skipBlanks(end)
	if at >= len(p.text) || p.text[at] != ':' && p.text[at] != '=' {
		return
	}
	at = p.skipBlanks(at + 1)
	p.add(at, p.until(at, &lineStops))
}

// findBearer finds what follows the word, wherever it stands.
func findBearer(p *pass, end int) {
	at := p.skipBlanks(end)
	if to := p.until(at, &wordStops); at > end && to-at >= 8 {
		p.add(at, to)
	}
}

// findURL finds the password of scheme://user:password@host, and a user that is long enough to be a token.
func findURL(p *pass, end int) {
	to := p.until(end, &urlStops)
	at := bytes.LastIndexByte(p.text[end:to], '@')
	if at < 0 {
		return
	}
	user := p.text[end : end+at]
	if colon := bytes.IndexByte(user, ':'); colon >= 0 {
		p.add(end+colon+1, end+at)
	} else if len(user) >= 20 {
		p.add(end, end+at)
	}
}

// findPrivateKey finds what is between the two lines of a PEM, up to the argument's end where the second is missing.
func findPrivateKey(p *pass, end int) {
	argument := p.text[end:p.argumentEnd(end)]
	line := bytes.Index(argument[:min(len(argument), nameBytes)], []byte("-----"))
	if line < 0 || !bytes.Contains(argument[:line], []byte("PRIVATE KEY")) {
		return
	}
	from := line + len("-----")
	to := bytes.Index(argument[from:], []byte("-----END"))
	if to < 0 {
		to = len(argument) - from
	}
	p.add(end+from, end+from+to)
}

// tokens are rules for secrets that tell by their first letters what they are.
func tokens() (rules []rule) {
	for _, t := range []struct {
		prefixes []string
		bytes    int // that have to follow
	}{
		{[]string{"AKIA", "ASIA"}, 16},
		{[]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}, 20},
		{[]string{"glpat-", "sk-", "sk_live_", "sk_test_", "rk_live_", "hvs.", "hvb."}, 16},
		{[]string{"xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"}, 10},
		{[]string{"AIza", "npm_", "pypi-", "dop_v1_", "ya29."}, 30},
	} {
		rules = append(rules, rule{name: "token", texts: small(t.prefixes), find: at(func(p *pass, end int) {
			for _, prefix := range t.prefixes {
				if from := end - len(prefix); from >= 0 && string(p.text[from:end]) == prefix {
					p.addToken(from, end, t.bytes)
				}
			}
		})})
	}
	return rules
}

func small(texts []string) (all []string) {
	for _, text := range texts {
		all = append(all, string(bytes.ToLower([]byte(text))))
	}
	return all
}

// addToken adds the token whose prefix is from from to end, if so many bytes follow.
func (p *pass) addToken(from, end, least int) {
	if from > 0 && isTokenByte(p.text[from-1]) {
		return
	}
	if to := p.tokenEnd(end); to-end >= least {
		p.add(from, to)
	}
}

func (p *pass) tokenEnd(at int) int {
	for at < len(p.text) && isTokenByte(p.text[at]) {
		at++
	}
	return at
}

func isTokenByte(c byte) bool { return isWordByte(c) || c == '-' }

// findJWT finds three parts in base64, of which the first begins with {".
func findJWT(p *pass, end int) {
	from := end - len("eyJ")
	if p.text[end-1] != 'J' || from > 0 && (isTokenByte(p.text[from-1]) || p.text[from-1] == '.') {
		return
	}
	first := p.tokenEnd(end)
	if first == len(p.text) || p.text[first] != '.' || first-from < 10 {
		return
	}
	second := p.tokenEnd(first + 1)
	if second < len(p.text) && p.text[second] == '.' {
		p.add(from, p.tokenEnd(second+1))
	} else if second-first > 10 {
		p.add(from, second)
	}
}
