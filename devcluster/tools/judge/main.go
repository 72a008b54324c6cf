// What Argo CD and kstatus conclude of a Kubernetes object, from the code they run themselves.
//
// A question per line of standard input, an answer per line of standard output, both JSON:
//
//	{"ask": "kstatus", "object": {…}}                                 → {"status": "Current", "message": "…"}
//	{"ask": "health", "object": {…}, "configMap": {…}}                → {"status": "Healthy", "message": "…"}
//	{"ask": "discover", "object": {…}, "configMap": {…}}              → {"actions": [{"name": "pause", "disabled": true}]}
//	{"ask": "act", "object": {…}, "configMap": {…}, "action": "pause"} → {"patch": {…}}
//
// configMap is the data of argocd-cm. What cannot be answered gets {"error": "…"}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	jsonpatch "github.com/evanphx/json-patch"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

const maxQuestionBytes = 16 << 20

type question struct {
	Ask       string                    `json:"ask"`
	Object    unstructured.Unstructured `json:"object"`
	ConfigMap map[string]string         `json:"configMap"`
	Action    string                    `json:"action"`
}

type answer struct {
	Status  string                    `json:"status,omitempty"`
	Message string                    `json:"message,omitempty"`
	Actions []v1alpha1.ResourceAction `json:"actions,omitempty"`
	Patch   json.RawMessage           `json:"patch,omitempty"`
	Error   string                    `json:"error,omitempty"`
}

func main() {
	questions := bufio.NewScanner(os.Stdin)
	questions.Buffer(nil, maxQuestionBytes)
	answers := json.NewEncoder(os.Stdout)
	for questions.Scan() {
		said, err := judge(questions.Bytes())
		if err != nil {
			said = answer{Error: err.Error()}
		}
		if err := answers.Encode(said); err != nil {
			fmt.Fprintln(os.Stderr, "the answer cannot be written:", err)
			os.Exit(1)
		}
	}
	if err := questions.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "the question cannot be read:", err)
		os.Exit(1)
	}
}

func judge(line []byte) (answer, error) {
	var asked question
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{}, err
	}
	if asked.Ask == "kstatus" {
		return kstatus(&asked.Object)
	}
	overrides, err := overridesIn(asked.ConfigMap)
	if err != nil {
		return answer{}, err
	}
	switch asked.Ask {
	case "health":
		return health(&asked.Object, overrides)
	case "discover":
		return discover(&asked.Object, overrides)
	case "act":
		return act(&asked.Object, overrides, asked.Action)
	}
	return answer{}, fmt.Errorf("ask is %q, not kstatus, health, discover or act", asked.Ask)
}

func kstatus(object *unstructured.Unstructured) (answer, error) {
	result, err := status.Compute(object)
	if err != nil {
		return answer{}, err
	}
	return answer{Status: result.Status.String(), Message: result.Message}, nil
}

func health(object *unstructured.Unstructured, overrides map[string]v1alpha1.ResourceOverride) (answer, error) {
	result, err := lua.ResourceHealthOverrides(overrides).GetResourceHealth(object)
	if err != nil {
		return answer{}, err
	}
	if result == nil {
		return answer{}, fmt.Errorf("there is no health check for %s", object.GroupVersionKind())
	}
	return answer{Status: string(result.Status), Message: result.Message}, nil
}

func discover(object *unstructured.Unstructured, overrides map[string]v1alpha1.ResourceOverride) (answer, error) {
	vm := lua.VM{ResourceOverrides: overrides}
	scripts, err := vm.GetResourceActionDiscovery(object)
	if err != nil {
		return answer{}, err
	}
	actions, err := vm.ExecuteResourceActionDiscovery(object, scripts)
	sort.Slice(actions, func(i, j int) bool { return actions[i].Name < actions[j].Name })
	return answer{Actions: actions}, err
}

// act yields the merge patch that the server of Argo CD would send: what is live against what the action returned.
func act(object *unstructured.Unstructured, overrides map[string]v1alpha1.ResourceOverride, name string) (answer, error) {
	vm := lua.VM{ResourceOverrides: overrides}
	live, err := json.Marshal(object)
	if err != nil {
		return answer{}, err
	}
	action, err := vm.GetResourceAction(object, name)
	if err != nil {
		return answer{}, err
	}
	impacted, err := vm.ExecuteResourceAction(object, action.ActionLua, nil)
	if err != nil {
		return answer{}, err
	}
	if len(impacted) != 1 || impacted[0].K8SOperation != lua.PatchOperation {
		return answer{}, fmt.Errorf("action %s does not patch one object: %v", name, impacted)
	}
	wanted, err := json.Marshal(impacted[0].UnstructuredObj)
	if err != nil {
		return answer{}, err
	}
	patch, err := jsonpatch.CreateMergePatch(live, wanted)
	return answer{Patch: patch}, err
}

// overridesIn reads the keys that argocd-cm has for one kind each: resource.customizations.<what>.<group>_<Kind>.
func overridesIn(data map[string]string) (map[string]v1alpha1.ResourceOverride, error) {
	overrides := map[string]v1alpha1.ResourceOverride{}
	for key, value := range data {
		parts := strings.SplitN(key, ".", 4)
		if len(parts) < 4 || parts[0] != "resource" || parts[1] != "customizations" {
			return nil, fmt.Errorf("%s is no customization of a kind", key)
		}
		kind := strings.Replace(parts[3], "_", "/", 1)
		override := overrides[kind]
		switch parts[2] {
		case "health":
			override.HealthLua = value
		case "actions":
			override.Actions = value
		default:
			return nil, fmt.Errorf("%s: neither health nor actions", key)
		}
		overrides[kind] = override
	}
	return overrides, nil
}
