// Package apply makes the steps of a plan: under a lease that keeps two applies apart, with a journal by which an interrupted one goes on, and those steps at the
// same time that do not depend on each other.
//
// [Apply] acts through the four small interfaces of [Deps], which package zones/catalog implements for a real cluster. It tells what it does as [Event] values.
// [Wait] waits until the balancer has moved the documents; nothing here starts or stops the balancer, or moves a document.
package apply
