package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// blocked are addresses that are not for people on the outside, beyond what
// netip knows: carrier-grade NAT, benchmarking, documentation, translation of
// IPv4, and the like.
var blocked = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10", "::/96", "3fff::/20", "5f00::/16")

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// ErrInternal says that an address lies inside the server's own network.
var ErrInternal = errors.New("this address is inside of the server's own network, where uploads may not reach; " +
	"an administrator can allow it with fetch_url_allowlist")

// allowed tells whether uploads may connect to an address.
func allowed(addr netip.Addr, allowlist []netip.Prefix) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range allowlist {
		if p.Contains(addr) {
			return true
		}
	}
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range blocked {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}

// httpClient fetches what people ask for. The address is checked at the moment
// of connecting, after the name was resolved, and again after each redirect, so
// that neither a name that changes nor a redirect leads inside. No proxy of the
// environment is used, since it would connect on our behalf.
func httpClient(allowlist []netip.Prefix) *http.Client {
	dialer := &net.Dialer{
		Timeout: 30 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			if !allowed(ap.Addr(), allowlist) {
				return ErrInternal
			}
			return nil
		},
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, address)
			},
			TLSHandshakeTimeout:   30 * time.Second,
			ResponseHeaderTimeout: 2 * time.Minute,
			DisableCompression:    true, // a .gz file stays what it is
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) >= 10 {
				return errors.New("it redirects too often")
			}
			_, err := checkURL(r.URL.String())
			return err
		},
	}
}

// stalled is how long a download may bring nothing.
const stalled = 5 * time.Minute

// explainFetch says in a person's words why an address could not be fetched.
func explainFetch(address string, err error) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, ErrInternal):
		return fmt.Errorf("%s cannot be fetched: %w", address, ErrInternal)
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("%s cannot be fetched: there is no host %s; check the address", address, dns.Name)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%s cannot be fetched: its server did not answer in time; try again later", address)
	}
	return fmt.Errorf("%s cannot be fetched: %w", address, err)
}

// ReadURL gets a small file by its address, under the same guard as uploads: for
// what an administrator's configuration names, such as rules for destinations.
// More than limit bytes is an error.
func ReadURL(ctx context.Context, address string, allowlist []netip.Prefix, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if s := request.URL.Scheme; s != "http" && s != "https" {
		return nil, fmt.Errorf("%s: only http and https addresses are read", address)
	}
	answer, err := httpClient(allowlist).Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", address, limit)
	}
	return body, err
}
