package testenv

import (
	"io"
	"strings"
	"testing"
)

// TestWebProxies starts each with a site of two lines, over TLS and HTTP/2.
func TestWebProxies(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *WebProxy{
		"nginx": func(t *testing.T) *WebProxy {
			return Nginx(t, `server { listen 127.0.0.1:@HTTP@; return 200 plain; }
server { listen 127.0.0.1:@HTTPS@ ssl http2; ssl_certificate @DIR@/cert.pem; ssl_certificate_key @DIR@/key.pem; return 200 secret; }
`)
		},
		"Apache": func(t *testing.T) *WebProxy {
			return Apache(t, `<VirtualHost *:@HTTP@>
	RewriteEngine on
	RewriteRule ^ - [R=204]
</VirtualHost>
<VirtualHost *:@HTTPS@>
	Protocols h2 http/1.1
	SSLEngine on
	SSLCertificateFile @DIR@/cert.pem
	SSLCertificateKeyFile @DIR@/key.pem
	RewriteEngine on
	RewriteRule ^ - [R=204]
</VirtualHost>
`, "ssl", "http2", "rewrite")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			client := p.Client()
			for _, test := range []struct{ address, proto string }{
				{"http://" + SiteName + "/", "HTTP/1.1"}, {"https://" + SiteName + "/", "HTTP/2.0"},
			} {
				response, err := client.Get(test.address)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil {
					t.Error(err)
				}
				_ = response.Body.Close()
				if response.StatusCode/100 != 2 || response.Proto != test.proto {
					t.Errorf("%s answers %s by %s", test.address, response.Status, response.Proto)
				}
			}
			p.Stop()
			if log := p.Log("access"); strings.Count(log, "GET / HTTP/") != 2 {
				t.Errorf("the access log is %s", log)
			}
		})
	}
}
