package devmongos

// users manage users and roles. They live on the config servers, as a mongos keeps them there.
func (r *sharding) users() map[string]handler {
	rows := map[string]handler{"invalidateUserCache": acknowledge} // the router keeps none
	for _, name := range []string{"usersInfo", "rolesInfo"} {
		rows[name] = r.configCommand(name)
	}
	for _, name := range []string{
		"createUser", "updateUser", "dropUser", "dropAllUsersFromDatabase", "grantRolesToUser", "revokeRolesFromUser",
		"createRole", "updateRole", "dropRole", "dropAllRolesFromDatabase", "grantPrivilegesToRole", "revokePrivilegesFromRole", "grantRolesToRole", "revokeRolesFromRole",
	} {
		rows[name] = r.configCommand(name, majority)
	}
	return rows
}
