// Package enum gives the values of an enumeration their names, in texts and in JSON. A table has the names by value; without one for 0, which stands for
// what is unknown, 0 is neither written nor read.
//
//	var names = []string{RoleActive: "active", RolePassive: "passive"}
//
//	func (r Role) String() string                      { return enum.Name(names, r) }
//	func (r Role) MarshalText() ([]byte, error)        { return enum.Marshal("role", names, r) }
//	func (r *Role) UnmarshalText(text []byte) error    { return enum.Unmarshal("role", names, text, r) }
package enum
