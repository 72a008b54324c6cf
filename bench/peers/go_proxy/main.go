// A reverse proxy of the standard library and nothing else: no routing, no parsing, no records.
package main

import (
	"flag"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// buffers keeps copy buffers between requests, as httputil recommends for busy proxies.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte  { return *b.pool.Get().(*[]byte) }
func (b *buffers) Put(s []byte) { b.pool.Put(&s) }

func newProxy(upstream *url.URL) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = upstream.Scheme, upstream.Host, upstream.Host
			r.Out.URL.Path = upstream.Path + strings.TrimPrefix(r.In.URL.Path, "/v1")
		},
		Transport: &http.Transport{
			MaxIdleConns:        0, // no limit
			MaxIdleConnsPerHost: 1024,
			IdleConnTimeout:     5 * time.Minute,
			DisableCompression:  true,
		},
		FlushInterval: -1, // each read is written on at once
		BufferPool: &buffers{sync.Pool{New: func() any {
			s := make([]byte, 32*1024)
			return &s
		}}},
	}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to serve at")
	target := flag.String("upstream", "", "base URL that stands for /v1")
	flag.Parse()
	upstream, err := url.Parse(*target)
	if err != nil || upstream.Host == "" {
		log.Fatalf("-upstream %q: takes a URL such as http://127.0.0.1:9000/v1", *target)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	proxy := newProxy(upstream)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		// Or the server closes the request's body when the answer begins. The transport, which may not have read as far as its end when
		// an upstream answers at once, takes that for a failed write and cuts the answer: once in some hundred streams.
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			log.Print(err)
		}
		proxy.ServeHTTP(w, r)
	})
	log.Fatal(http.ListenAndServe(*listen, mux))
}
