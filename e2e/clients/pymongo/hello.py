"""What PyMongo makes of the query router."""

from check import admin, check, client, db, done, failing

hello = admin.command("hello")
check("hello says that it is a query router", "isdbgrid", lambda: hello["msg"])
check("hello names no replica set", False, lambda: "setName" in hello or "hosts" in hello)
check("PyMongo takes it for mongos", True, lambda: client.is_mongos)
check("PyMongo sees a sharded cluster", "Sharded", lambda: client.topology_description.topology_type_name)
check("PyMongo can write", True, lambda: client.is_primary)
check("sessions and retries are possible", [30, True], lambda: [hello["logicalSessionTimeoutMinutes"], hello["maxWireVersion"] >= 17])
check("the limits are the server's", [16777216, 48000000, 100000], lambda: [hello["maxBsonObjectSize"], hello["maxMessageSizeBytes"], hello["maxWriteBatchSize"]])
check("ismaster says the same", "isdbgrid", lambda: admin.command("isMaster")["msg"])
check("server_info", True, lambda: client.server_info()["ok"] == 1.0 and client.server_info()["versionArray"][0] >= 6)
check("list_database_names", True, lambda: "config" in client.list_database_names())
check("the config database can be read", True, lambda: client.config.shards.count_documents({}) >= 3)
check("an unknown command", {"code": 59, "labels": []}, lambda: failing(lambda: db.command("unheardOf")))
check("every answer gossips the cluster's time", True, lambda: "$clusterTime" in admin.command("ping"))
done()
