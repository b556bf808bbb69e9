package mcpclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"
)

// TLS changes how an https server is recognised, and how it recognises this client.
// Files are PEM, and are read when a connection is made.
type TLS struct {
	// CAFile has certificates of authorities that are trusted beside the system's.
	CAFile string
	// CertFile and KeyFile are the certificate of this client, with its chain, and
	// its key. They are shown to the server only, and not to where it redirects or
	// to an authorization server.
	CertFile, KeyFile string
	// ServerName is the name that the server's certificate must be for, if that is
	// not the host of the URL.
	ServerName string
	// InsecureAcceptAnyCertificate lets anyone on the way pretend to be the server,
	// read the credentials that it is sent and answer in its place. It is for tests.
	InsecureAcceptAnyCertificate bool
}

// problem is what can be known to be wrong without reading the files.
func (t *TLS) problem() string {
	if (t.CertFile == "") != (t.KeyFile == "") {
		return "CertFile and KeyFile need each other"
	}
	return ""
}

// config returns the configuration for the server itself; nil for nil.
func (t *TLS) config() (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	config, err := t.authorities()
	if err != nil {
		return nil, err
	}
	config.ServerName = t.ServerName
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("TLS: CertFile %q with KeyFile %q: %w", t.CertFile, t.KeyFile, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// authorities returns the configuration with what is not about the server alone.
func (t *TLS) authorities() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t == nil {
		return config, nil
	}
	config.InsecureSkipVerify = t.InsecureAcceptAnyCertificate
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("TLS: CAFile: %w", err)
		}
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool()
		}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("TLS: CAFile %q has no certificate in PEM form", t.CAFile)
		}
	}
	return config, nil
}

// newBaseTransport returns what all HTTP of this package is sent with.
func newBaseTransport() *http.Transport {
	base := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	if def, ok := http.DefaultTransport.(*http.Transport); ok {
		base = def.Clone()
	}
	return base
}

// newOAuthClient returns the client for requests to authorization servers. Where
// these are is the server's word, so none of the server's headers goes there, and
// none of the requests to where clouds have credentials.
func newOAuthClient(t *TLS) (*http.Client, error) {
	base := newBaseTransport()
	var err error
	if base.TLSClientConfig, err = t.authorities(); err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil
		}
		return checkAuthorizationServer(at.Addr())
	}}
	base.DialContext = dialer.DialContext
	base.MaxIdleConnsPerHost = -1 // these are rare, and nobody closes the client
	base.DisableKeepAlives = true
	return &http.Client{Transport: beforeProxy{base}, Timeout: 30 * time.Second}, nil
}

// beforeProxy checks the address in the URL, since behind a proxy no other is seen here.
type beforeProxy struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (b beforeProxy) RoundTrip(req *http.Request) (*http.Response, error) {
	if at, err := netip.ParseAddr(req.URL.Hostname()); err == nil {
		if err := checkAuthorizationServer(at); err != nil {
			return nil, err
		}
	}
	return b.Transport.RoundTrip(req)
}

// metadataServices are where clouds have credentials, beside the link-local addresses:
// AWS and Alibaba Cloud.
var metadataServices = []netip.Addr{netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200")}

// checkAuthorizationServer refuses the addresses where none can be.
func checkAuthorizationServer(at netip.Addr) error {
	if at = at.Unmap(); at.IsLinkLocalUnicast() || slices.Contains(metadataServices, at) {
		return errors.New("an authorization server at a link-local address, or where a cloud has credentials, is not asked")
	}
	return nil
}
