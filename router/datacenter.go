package router

import "math/bits"

// A DC is a datacenter of a Table, as a small number: the same for every table of one world. The zero DC is none.
type DC uint8

// NoDC is no datacenter.
const NoDC DC = 0

// maxDCs bounds the datacenters of a table; a topology has at most 7.
const maxDCs = 15

// A DCSet is a set of datacenters. The zero value is empty.
type DCSet uint16

// With returns the set with dc.
func (s DCSet) With(dc DC) DCSet { return s | 1<<dc }

// Has reports whether dc is in the set.
func (s DCSet) Has(dc DC) bool { return s>>dc&1 == 1 }

// Len counts the datacenters of the set.
func (s DCSet) Len() int { return bits.OnesCount16(uint16(s)) }

// All visits the datacenters of the set, in the order of the world.
func (s DCSet) All(yield func(DC) bool) {
	for dc := DC(1); s>>dc != 0; dc++ {
		if s.Has(dc) && !yield(dc) {
			return
		}
	}
}

// at is what a list has for a number; the zero value beyond its end.
func at[N DC | uint16, T any](list []T, number N) (found T) {
	if int(number) < len(list) {
		found = list[number]
	}
	return found
}

// first is the datacenter of the set with the lowest number, or NoDC.
func (s DCSet) first() DC {
	if s == 0 {
		return NoDC
	}
	return DC(bits.TrailingZeros16(uint16(s)))
}
