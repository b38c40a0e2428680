// What the programs that sync Git to a cluster make of an object: Argo CD's Lua interpreter on a health script, Flux' own
// evaluator on health expressions, and the kstatus library that Flux, Helm and kubectl-like tools use without either.
//
// Standard input: {"lua": script, "cel": {"inProgress": …, "failed": …, "current": …}, "objects": {name: object}}.
// Standard output: {name: {"argo": …, "flux": …, "kstatus": …}}.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
)

type question struct {
	Lua     string                           `json:"lua"`
	Cel     kustomize.HealthCheckExpressions `json:"cel"`
	Objects map[string]json.RawMessage       `json:"objects"`
}

type verdict struct {
	Argo    string `json:"argo"`
	Flux    string `json:"flux"`
	Kstatus string `json:"kstatus"`
}

// Argo CD gives a script the object as `obj`, one second, and no library that reaches outside.
func argo(script string, object json.RawMessage) (string, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, open := range []lua.LGFunction{lua.OpenBase, lua.OpenTable, lua.OpenString} {
		state.Push(state.NewFunction(open))
		state.Call(0, 0)
	}
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limit)
	value, err := luajson.Decode(state, object)
	if err != nil {
		return "", err
	}
	state.SetGlobal("obj", value)
	if err := state.DoString(script); err != nil {
		return "", err
	}
	answer, isTable := state.Get(-1).(*lua.LTable)
	if !isTable {
		return "", fmt.Errorf("the health script gave back no table")
	}
	return lua.LVAsString(answer.RawGetString("status")), nil
}

func judge(asked question, flux *cel.StatusEvaluator, text json.RawMessage) (verdict, error) {
	byArgo, err := argo(asked.Lua, text)
	if err != nil {
		return verdict{}, fmt.Errorf("argo cd: %w", err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(text); err != nil {
		return verdict{}, err
	}
	byFlux, err := flux.Evaluate(context.Background(), object)
	if err != nil {
		return verdict{}, fmt.Errorf("flux: %w", err)
	}
	plain, err := status.Compute(object)
	if err != nil {
		return verdict{}, fmt.Errorf("kstatus: %w", err)
	}
	return verdict{byArgo, byFlux.Status.String(), plain.Status.String()}, nil
}

func run() error {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return err
	}
	flux, err := cel.NewStatusEvaluator(&asked.Cel)
	if err != nil {
		return err
	}
	verdicts := map[string]verdict{}
	for name, text := range asked.Objects {
		if verdicts[name], err = judge(asked, flux, text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(verdicts)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
