// A small server and client for tests of the cluster itself, as an image of one file.
module fairlead.dev/devcluster/tools/probe

go 1.24.0
