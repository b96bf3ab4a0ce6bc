package box

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// A State is what the network is like now.
type State struct {
	Links  []wan.LinkState
	Faults []string
}

// A box is the running program.
type box struct {
	config Config
	// links is the network between the datacenters; control leads past it.
	links, control *wan.Network

	mu      sync.Mutex
	members map[netip.Addr]string // guarded by mu: by the address of the member's container
}

// outside is the one place of the control network.
const outside topology.DatacenterID = "outside"

// Run serves until ctx ends. args is the path of the configuration.
func Run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: box CONFIG")
	}
	config, err := readConfig(args[0])
	if err != nil {
		return err
	}
	b := &box{config: config, members: map[netip.Addr]string{}}
	if err := b.open(); err != nil {
		return errors.Join(err, b.close())
	}
	defer func() { _ = b.close() }()
	return b.serve(ctx)
}

// open opens two addresses for each member.
func (b *box) open() error {
	var places []topology.DatacenterID
	for _, dc := range b.config.Datacenters {
		places = append(places, dc.ID)
	}
	ports, controlPorts := map[string]int{}, map[string]int{}
	for _, m := range b.config.Members {
		ports[m.Name], controlPorts[m.Name] = m.Port, m.ControlPort
	}
	var err error
	b.links, err = wan.New(wan.Options{Datacenters: places, Links: b.config.Links, Scale: b.config.Scale, Listen: listenAt(ports), Source: b.source})
	if err != nil {
		return err
	}
	b.links.SetDelays(false) // until the cluster stands
	b.control, err = wan.New(wan.Options{
		Datacenters: []topology.DatacenterID{outside}, Listen: listenAt(controlPorts),
		Source: func(net.Addr) (topology.DatacenterID, string, bool) { return outside, "", true },
	})
	if err != nil {
		return err
	}
	for _, m := range b.config.Members {
		if _, err := b.links.Front(m.Name, m.DC, nobody.String()); err != nil {
			return err
		}
		if _, err := b.control.Front(m.Name, outside, nobody.String()); err != nil {
			return err
		}
	}
	return nil
}

func (b *box) close() error {
	var problems []error
	for _, n := range []*wan.Network{b.links, b.control} {
		if n != nil {
			problems = append(problems, n.Close())
		}
	}
	return errors.Join(problems...)
}

// listenAt opens a member's port on all of the container's networks.
func listenAt(ports map[string]int) func(string) (net.Listener, error) {
	return func(member string) (net.Listener, error) {
		return net.Listen("tcp4", net.JoinHostPort("", strconv.Itoa(ports[member])))
	}
}

// source tells the datacenter by the network that a connection comes over, and the member by its container's address.
func (b *box) source(remote net.Addr) (topology.DatacenterID, string, bool) {
	tcp, ok := remote.(*net.TCPAddr)
	if !ok {
		return "", "", false
	}
	address := tcp.AddrPort().Addr().Unmap()
	dc, ok := b.config.datacenterOf(address)
	b.mu.Lock()
	defer b.mu.Unlock()
	return dc, b.members[address], ok
}

func (b *box) serve(ctx context.Context) error {
	server := &http.Server{Addr: net.JoinHostPort("", strconv.Itoa(b.config.APIPort)), Handler: b.guarded(b.routes()), ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServe(); ctx.Err() == nil {
		return err
	}
	return nil
}

// guarded lets in who shows the token: containers on the same networks could ask as well.
func (b *box) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+b.config.Token)) != 1 {
			http.Error(w, "the token is missing or wrong", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (b *box) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) {
		state := State{Links: b.links.Links()}
		for _, f := range b.links.Faults() {
			state.Faults = append(state.Faults, f.String())
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(state)
	})
	mux.HandleFunc("POST /faults", act(withFault(b.links.Apply)))
	mux.HandleFunc("DELETE /faults", act(withFault(b.links.Remove)))
	mux.HandleFunc("POST /heal", act(func(string) error { b.links.Heal(); return nil }))
	mux.HandleFunc("POST /delays", act(func(string) error { b.links.SetDelays(true); return nil }))
	mux.HandleFunc("POST /addresses", act(b.register))
	mux.HandleFunc("DELETE /addresses", act(b.forget))
	return mux
}

// act answers with what an action on the request's text came to.
func act(do func(text string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		if err == nil {
			err = do(string(text))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func withFault(do func(wan.Fault) error) func(text string) error {
	return func(text string) error {
		f, err := wan.ParseFault(text)
		if err != nil {
			return err
		}
		return do(f)
	}
}

// register takes the address where a member really is, which may have changed with its container's last start: "nyc/LON 172.18.0.5:27101".
func (b *box) register(text string) error {
	var member, address string
	if _, err := fmt.Sscan(text, &member, &address); err != nil {
		return fmt.Errorf("register %q: %w", text, err)
	}
	real, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("register %s: %w", member, err)
	}
	return b.lead(member, real)
}

// forget is for a member whose container has ended: what connects is refused at once, as by a machine where nobody listens. Without that, the
// name of a container that does not run would be looked for elsewhere, and its address for seconds.
func (b *box) forget(member string) error { return b.lead(member, nobody) }

// nobody is an address in the box's own container where nobody listens.
var nobody = netip.MustParseAddrPort("127.0.0.1:9")

// lead makes a member's two ports lead to an address, where alone its connections come from then.
func (b *box) lead(member string, to netip.AddrPort) error {
	b.mu.Lock()
	maps.DeleteFunc(b.members, func(_ netip.Addr, name string) bool { return name == member })
	if to != nobody {
		b.members[to.Addr()] = member
	}
	b.mu.Unlock()
	return errors.Join(b.links.SetTarget(member, to.String()), b.control.SetTarget(member, to.String()))
}
