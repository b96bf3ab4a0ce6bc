// Package dashboard is the suite that uses the demonstration's page as a person does: a real Chromium, a real cluster, real clicks and keys.
//
// Where there is no Chromium nothing of it is tested, and the suite says so; GEOSHARD_REQUIRE_CHROMIUM=1 makes that a failure. GEOSHARD_GOLDEN=rewrite makes the
// screenshots of docs/images anew.
package dashboard
