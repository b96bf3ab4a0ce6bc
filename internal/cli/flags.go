package cli

import (
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/apply"
)

// withFlags gives a command the flags that the fields of a struct are, with its values as their defaults:
//
//	Save string `flag:"save,oneRun" usage:"write the plan to a file" files:"json"`
//
// After the flag's name may stand: oneRun, for a flag that is no setting, and required. The tag short has its letter; complete names what it is completed with
// (completions), and files the endings of files. What tags cannot say of a struct its method add does.
func withFlags(cmd *cobra.Command, fields any) *cobra.Command {
	value := reflect.ValueOf(fields).Elem()
	for _, field := range reflect.VisibleFields(value.Type()) {
		if tag, ok := field.Tag.Lookup("flag"); ok {
			name, options, _ := strings.Cut(tag, ",")
			addFlag(cmd, value.FieldByIndex(field.Index).Addr().Interface(), name, field.Tag)
			if strings.Contains(options, "oneRun") {
				oneRun(cmd.Flags(), name)
			}
			if strings.Contains(options, "required") {
				_ = cmd.MarkFlagRequired(name)
			}
		}
	}
	if more, ok := fields.(interface{ add(cmd *cobra.Command) }); ok {
		more.add(cmd)
	}
	return cmd
}

// completions are what flags are completed with.
var completions = map[string]cobra.CompletionFunc{
	"classes":     fixed("read", "write", "new"),
	"datacenters": completeWorld(2, (*topology.Topology).DatacenterIDs),
	"namespaces":  completeWorld(2, namespaceNames),
	"presets":     fixed(configs.Names()...),
	"waits":       fixed(string(apply.WaitMoved), string(apply.WaitClean)),
	"zones":       completeWorld(2, (*topology.Topology).ZoneIDs),
}

// fixed completes with words that are always the same.
func fixed(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

func addFlag(cmd *cobra.Command, to any, name string, tag reflect.StructTag) {
	flags, short, usage := cmd.Flags(), tag.Get("short"), tag.Get("usage")
	switch to := to.(type) {
	case *bool:
		flags.BoolVarP(to, name, short, *to, usage)
	case *string:
		flags.StringVarP(to, name, short, *to, usage)
	case *[]string:
		flags.StringSliceVarP(to, name, short, *to, usage)
	case *int64:
		flags.Int64VarP(to, name, short, *to, usage)
	case *map[string]string:
		flags.StringToStringVarP(to, name, short, *to, usage)
	case *int:
		flags.IntVarP(to, name, short, *to, usage)
	case *float64:
		flags.Float64VarP(to, name, short, *to, usage)
	case *time.Duration:
		flags.DurationVarP(to, name, short, *to, usage)
	default:
		panic("no flag has the type of --" + name)
	}
	if what, ok := tag.Lookup("complete"); ok {
		_ = cmd.RegisterFlagCompletionFunc(name, completions[what])
	}
	if endings, ok := tag.Lookup("files"); ok {
		_ = cmd.MarkFlagFilename(name, strings.Fields(endings)...)
	}
}
