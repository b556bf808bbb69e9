package mcpclient_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

// An authority issues certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert, a.key = a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.file = a.write("ca.pem", "CERTIFICATE", a.cert.Raw)
	return a
}

func (a *authority) issue(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) write(name, kind string, der []byte) string {
	path := filepath.Join(a.t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// pair issues a certificate for a name to files.
func (a *authority) pair(name string) (cert, key string) {
	c, k := a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write("cert.pem", "CERTIFICATE", c.Raw), a.write("key.pem", "PRIVATE KEY", der)
}

func TestTLS(t *testing.T) {
	trusted, stranger := newAuthority(t), newAuthority(t)
	cert, key := trusted.pair("mcp.example.com")
	ownCert, ownKey := trusted.pair("client")
	strangerCert, strangerKey := stranger.pair("client")
	serving, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(trusted.cert)

	tests := []struct {
		name   string
		config *mcpclient.TLS
		want   string // of the failure; empty for none
	}{
		{"all of it", &mcpclient.TLS{CAFile: trusted.file, ServerName: "mcp.example.com", CertFile: ownCert, KeyFile: ownKey}, ""},
		{"anyone", &mcpclient.TLS{InsecureAcceptAnyCertificate: true, CertFile: ownCert, KeyFile: ownKey}, ""},
		{"system only", nil, "failed to verify certificate"},
		{"other authority", &mcpclient.TLS{CAFile: stranger.file, ServerName: "mcp.example.com", CertFile: ownCert, KeyFile: ownKey}, "certificate signed by unknown authority"},
		{"wrong name", &mcpclient.TLS{CAFile: trusted.file, CertFile: ownCert, KeyFile: ownKey}, "certificate"},
		{"no certificate", &mcpclient.TLS{CAFile: trusted.file, ServerName: "mcp.example.com"}, "certificate required"},
		{"certificate of a stranger", &mcpclient.TLS{CAFile: trusted.file, ServerName: "mcp.example.com", CertFile: strangerCert, KeyFile: strangerKey}, "certificate"},
		{"no such file", &mcpclient.TLS{CAFile: "/nowhere/ca.pem"}, "TLS: CAFile: open /nowhere/ca.pem"},
		{"no PEM", &mcpclient.TLS{CAFile: ownKey}, "has no certificate in PEM form"},
		{"key of another", &mcpclient.TLS{CertFile: ownCert, KeyFile: key}, "private key does not match public key"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			leaktest.Check(t)
			s := httptest.NewUnstartedServer(streamable(t, nil))
			s.TLS = &tls.Config{Certificates: []tls.Certificate{serving}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.StartTLS()
			t.Cleanup(func() {
				s.CloseClientConnections()
				s.Close()
			})
			c := connect(t, nil, mcpclient.Server{Name: "x", URL: s.URL, TLS: test.config})
			status := c.Status()[0]
			switch {
			case test.want == "" && status.State != mcpclient.StateReady:
				t.Errorf("%s: %v", status.State, status.Err)
			case test.want != "" && (status.Err == nil || !strings.Contains(status.Err.Error(), test.want)):
				t.Errorf("%s: %v\nwant %s", status.State, status.Err, test.want)
			}
		})
	}
}
