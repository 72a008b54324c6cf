module fairlead.dev/bench/go-proxy

go 1.22
