// Package demo tests geoshard demo from outside: the program itself is built and run, as a person would, and what it leaves behind is looked for.
//
// The whole story is played once; a step is spoilt on purpose (one read of twenty asks another datacenter), and the program has to notice; and the program is interrupted at random moments, after which no process,
// port or directory may be left. GEOSHARD_SOAK=1 plays both presets, spoils every step, and interrupts at twenty moments instead of three.
package demo
