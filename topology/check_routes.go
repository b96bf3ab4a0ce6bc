package topology

import (
	"fmt"
	"slices"
	"strings"
)

// routes checks the routes, that each can match, and that those that redirect have somewhere to redirect to.
func (c *checker) routes() {
	parsed := make([][]Segment, len(c.Router.Routes))
	for i, r := range c.Router.Routes {
		path := at("router.routes", i)
		if !c.sound(path) {
			continue
		}
		segments, err := ParsePath(r.Path)
		if err != nil {
			c.errorf(path+".path", "write it like /v1/carts/{handle}", "%s", err)
		}
		c.methods(path+".methods", r.Methods)
		c.named(path+".class", "class", r.Class)
		if r.Mode != RouteUnstated {
			c.named(path+".mode", "mode", r.Mode)
		}
		if r.Mode == RouteRedirect {
			c.redirects(path + ".mode")
		}
		if parsed[i] = segments; err == nil {
			c.reachable(path, i, parsed)
		}
	}
}

func (c *checker) methods(path string, methods []string) {
	if methods != nil && len(methods) == 0 {
		c.errorf(path, "leave out methods for all", "no method matches")
	}
	for i, m := range methods {
		path := at(path, i)
		switch {
		case !httpToken.MatchString(m):
			c.errorf(path, "", "%q is not a method", excerpt(m))
		case m != strings.ToUpper(m):
			c.errorf(path, "write "+strings.ToUpper(m), "methods are in capitals: %q never comes", excerpt(m))
		case slices.Contains(methods[:i], m):
			c.errorf(path, "keep one of them", "%s comes twice", m)
		}
	}
}

// reachable reports a route of which earlier ones take everything: the file says twice what becomes of the same request.
func (c *checker) reachable(path string, i int, parsed [][]Segment) {
	r := c.Router.Routes[i]
	for j, earlier := range c.Router.Routes[:i] {
		if parsed[j] == nil {
			continue
		}
		covers, shared := coversPath(parsed[j], parsed[i]), sharedMethod(earlier, r)
		switch {
		case covers && coversPath(parsed[i], parsed[j]) && shared != "":
			c.errorf(path, "keep one of them", "the routes %d and %d are both for %s %s: which of them counts is ambiguous", j+1, i+1, shared, excerpt(r.Path))
			return
		case covers && coversMethods(earlier, r):
			c.errorf(path, fmt.Sprintf("put it before route %d", j+1), "route %d (%s) takes every request of route %d (%s)", j+1, excerpt(earlier.Path), i+1, excerpt(r.Path))
			return
		}
	}
}

// sharedMethod is a method that both routes are for; "all methods" if both are for all.
func sharedMethod(a, b Route) string {
	if a.Methods == nil && b.Methods == nil {
		return "all methods"
	}
	for _, m := range slices.Concat(b.Methods, a.Methods) {
		if a.Allows(m) && b.Allows(m) {
			return m
		}
	}
	return ""
}

// coversMethods reports whether a is for every method of b.
func coversMethods(a, b Route) bool {
	return a.Methods == nil || b.Methods != nil && !slices.ContainsFunc(b.Methods, func(m string) bool { return !a.Allows(m) })
}

// redirects checks that each datacenter has a gateway to send clients to.
func (c *checker) redirects(path string) {
	if !c.sound("datacenters") {
		return
	}
	for _, dc := range c.Datacenters {
		if dc.Role != RoleVoter && dc.Endpoint == "" {
			c.errorf(path, fmt.Sprintf("add endpoint: to datacenters.%s, or write mode: proxy", dc.ID), "a redirect to %s has no address: the datacenter has no endpoint", dc.ID)
			return
		}
	}
}
