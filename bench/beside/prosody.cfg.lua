-- Group chat over WebSocket with an archive. Presence goes only to moderators: with 500 members it would be all the work.
run_as_root = true
pidfile = "@FOLDER@/prosody.pid"
data_path = "@FOLDER@/data"
log = { warn = "@FOLDER@/prosody.log" }
network_backend = "epoll"
network_settings = { tcp_backlog = 4096 }
interfaces = { "127.0.0.1" }
http_interfaces = { "127.0.0.1" }
http_ports = { @PORT@ }
https_ports = {}
c2s_ports = {}
c2s_direct_tls_ports = {}
http_default_host = "localhost"
modules_enabled = { "saslauth", "websocket", "http", "disco" }
modules_disabled = { "s2s", "offline" }
consider_websocket_secure = true
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
storage = { accounts = "internal"; archive = "@ARCHIVE@"; muc_log = "@ARCHIVE@" }
sql = { driver = "SQLite3", database = "@FOLDER@/archive.sqlite" }
archive_expires_after = "never"

VirtualHost "localhost"

Component "conference.localhost" "muc"
  modules_enabled = { "muc_mam" }
  muc_log_by_default = true
  muc_room_locking = false
  muc_room_default_persistent = true
  muc_room_default_history_length = 0
  muc_room_default_presence_broadcast = { visitor = false, participant = false, moderator = true }
