package mcpclient

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// No authorization server is where a cloud has credentials, also behind a proxy.
func TestAuthorizationServersOfClouds(t *testing.T) {
	asked := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		_, _ = io.WriteString(w, "secret of the cloud")
	}))
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	for name, through := range map[string]func(*http.Request) (*url.URL, error){"direct": nil, "proxy": http.ProxyURL(at)} {
		for _, address := range []string{
			"http://169.254.169.254/latest", "http://[::ffff:169.254.169.254]/", "http://[fe80::1%25eth0]/", "http://[fd00:ec2::254]/", "http://100.100.100.200/",
		} {
			client, err := newOAuthClient(nil)
			if err != nil {
				t.Fatal(err)
			}
			client.Transport.(beforeProxy).Proxy = through
			resp, err := client.Get(address)
			if err == nil {
				_ = resp.Body.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "where a cloud has credentials, is not asked") || asked != "" {
				t.Errorf("%s, %s: %v; the proxy was asked for %q", name, address, err, asked)
			}
		}
	}
}
