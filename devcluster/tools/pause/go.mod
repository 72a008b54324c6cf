// The process that holds a pod's namespaces, for the image that containerd starts first in every pod.
module fairlead.dev/devcluster/tools/pause

go 1.24.0
