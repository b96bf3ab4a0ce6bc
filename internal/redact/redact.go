package redact

import (
	"errors"
	"net/url"
	"strings"
)

// URI returns a connection string without its credentials, its path and its options.
func URI(uri string) string {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return "(redacted)"
	}
	hosts, _, _ := strings.Cut(rest, "/")
	hosts, _, _ = strings.Cut(hosts, "?")
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		hosts = "…@" + hosts[at+1:]
	}
	return scheme + "://" + hosts
}

// errQuotes stands for an error that cannot be shown. It wraps nothing: whoever unwrapped it could print the secret.
var errQuotes = errors.New("(the reason quotes the connection string and is not shown)")

// Error returns the error, or another one without its text when it quotes the connection string, its password or one of the secrets.
func Error(err error, uri string, secrets ...string) error {
	if err == nil {
		return nil
	}
	for _, secret := range append(passwords(uri), secrets...) {
		if secret != "" && strings.Contains(err.Error(), secret) {
			return errQuotes
		}
	}
	return err
}

// passwords are the forms in which a text could show a connection string's secret: all of it, and the password as written and decoded.
func passwords(uri string) []string {
	found := []string{uri}
	if u, err := url.Parse(uri); err == nil && u.User != nil {
		if decoded, ok := u.User.Password(); ok {
			found = append(found, decoded)
		}
	}
	_, rest, _ := strings.Cut(uri, "://")
	if user, _, ok := strings.Cut(rest, "@"); ok {
		if _, written, ok := strings.Cut(user, ":"); ok {
			found = append(found, written)
		}
	}
	return found
}
