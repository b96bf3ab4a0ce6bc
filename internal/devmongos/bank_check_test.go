package devmongos_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// bankDeposit is what every account begins with.
const bankDeposit = 1000

// A transfer is one entry of the bank's ledger.
type transfer struct {
	Token    string `bson:"_id"`
	From, To string
	Amount   int64
	Teller   int
	// Counted tells that the transfer is in the teller's total, too, which is in an unsharded collection.
	Counted bool
}

// Books are everything that the bank holds.
type books struct {
	accounts map[string]int64
	ledger   []transfer
	// totals are the counted transfers of each teller.
	totals map[int]int64
}

// torn says what is wrong with balances read at one time: money is neither made nor lost.
func torn(accounts map[string]int64, want int) (wrong []string) {
	if len(accounts) != want {
		wrong = append(wrong, fmt.Sprintf("%d accounts, want %d", len(accounts), want))
	}
	sum := int64(0)
	for _, balance := range accounts {
		sum += balance
	}
	if sum != int64(want)*bankDeposit {
		wrong = append(wrong, fmt.Sprintf("the sum is %d, want %d", sum, want*bankDeposit))
	}
	return wrong
}

// audit says what is wrong with books read at one time: each transfer is in both accounts and in the ledger, or nowhere.
func audit(b books, want int) (wrong []string) {
	wrong = torn(b.accounts, want)
	balances, totals := map[string]int64{}, map[int]int64{}
	for name := range b.accounts {
		balances[name] = bankDeposit
	}
	for _, entry := range b.ledger {
		balances[entry.From] -= entry.Amount
		balances[entry.To] += entry.Amount
		if entry.Counted {
			totals[entry.Teller]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(balances)) {
		if got, ok := b.accounts[name]; !ok || got != balances[name] {
			wrong = append(wrong, fmt.Sprintf("account %s has %d (there: %v), its transfers make %d", name, got, ok, balances[name]))
		}
	}
	for teller := range 64 {
		if b.totals[teller] != totals[teller] {
			wrong = append(wrong, fmt.Sprintf("teller %d counted %d transfers, the ledger has %d", teller, b.totals[teller], totals[teller]))
		}
	}
	return wrong
}

// A promise is what a client was told about a transfer.
type promise int

const (
	promiseUnknown   promise = iota // it may have happened or not
	promiseCommitted                // the commit was acknowledged
	promiseAborted                  // the transaction has surely not been committed
)

// broken says which promises the ledger does not keep.
func broken(ledger []transfer, told map[string]promise) (wrong []string) {
	found := map[string]int{}
	for _, entry := range ledger {
		found[entry.Token]++
	}
	for _, token := range slices.Sorted(maps.Keys(told)) {
		switch n := found[token]; {
		case n > 1:
			wrong = append(wrong, fmt.Sprintf("transfer %s is there %d times", token, n))
		case n == 0 && told[token] == promiseCommitted:
			wrong = append(wrong, fmt.Sprintf("committed transfer %s is lost", token))
		case n == 1 && told[token] == promiseAborted:
			wrong = append(wrong, fmt.Sprintf("aborted transfer %s is there", token))
		}
		delete(found, token)
	}
	for token := range found {
		wrong = append(wrong, fmt.Sprintf("transfer %s is there, and nobody made it", token))
	}
	return wrong
}

// TestBankCheckerCanFail gives the checker books with one fault each.
func TestBankCheckerCanFail(t *testing.T) {
	sound := func() (books, map[string]promise) {
		return books{
			accounts: map[string]int64{"a": 700, "b": 1200, "c": 1100},
			ledger:   []transfer{{"t1", "a", "b", 300, 0, true}, {"t2", "b", "c", 100, 1, false}},
			totals:   map[int]int64{0: 1},
		}, map[string]promise{"t1": promiseCommitted, "t2": promiseUnknown, "t3": promiseAborted, "t4": promiseUnknown}
	}
	for name, spoil := range map[string]func(*books, map[string]promise){
		"money made":                 func(b *books, _ map[string]promise) { b.accounts["a"]++ },
		"account lost":               func(b *books, _ map[string]promise) { delete(b.accounts, "a") },
		"account twice":              func(b *books, _ map[string]promise) { b.accounts["a again"] = 0 },
		"half a transfer":            func(b *books, _ map[string]promise) { b.accounts["c"] -= 100 },
		"transfer without its entry": func(b *books, _ map[string]promise) { b.accounts["a"]--; b.accounts["b"]++ },
		"entry without its transfer": func(b *books, _ map[string]promise) { b.ledger[0].Amount++ },
		"entry twice":                func(b *books, _ map[string]promise) { b.ledger = append(b.ledger, b.ledger[0]) },
		"not counted":                func(b *books, _ map[string]promise) { b.totals[0] = 0 },
		"counted without its entry":  func(b *books, _ map[string]promise) { b.totals[1] = 1 },
		"committed transfer lost":    func(_ *books, told map[string]promise) { told["t5"] = promiseCommitted },
		"aborted transfer there":     func(_ *books, told map[string]promise) { told["t2"] = promiseAborted },
		"transfer that nobody made":  func(_ *books, told map[string]promise) { delete(told, "t2") },
		"whole transfer lost everywhere": func(b *books, _ map[string]promise) {
			*b = books{map[string]int64{"a": 1000, "b": 900, "c": 1100}, b.ledger[1:], nil}
		},
	} {
		b, told := sound()
		if wrong := append(audit(b, 3), broken(b.ledger, told)...); len(wrong) > 0 {
			t.Fatalf("sound books: %v", wrong)
		}
		spoil(&b, told)
		if wrong := append(audit(b, 3), broken(b.ledger, told)...); len(wrong) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}
