package local

// WithElectionSpread returns options whose members all spread their candidacies over that part of the election timeout.
func WithElectionSpread(o Options, part float64) Options {
	o.electionSpread = part
	return o
}
