// Keys of what all sandboxes may reach. For config_table.h.
#pragma once

#include "config/config_values.h"

namespace cay::config {

inline constexpr Key kNetworkRows[] = {
    {.name = "network.max_mode",
     .flag = "",
     .value = "MODE",
     .example = "allow",
     .doc = "What sandboxes may ask for of the network: none; allow: what they name; open: the "
            "public internet too.",
     .list = false,
     .reloads = true,
     .set = &SetNetworkMode,
     .show = &ShowNetworkMode},
    {.name = "network.private_allowed",
     .flag = "",
     .value = "RULE",
     .example = "10.1.2.0/24:5432",
     .doc =
         "Addresses that are not public, ranges of them, and host.cay.internal:PORT (this "
         "machine), that the rules of sandboxes may name. None: none of them is ever reached. The "
         "server's own API is reached only where exactly its address and port are named.",
     .list = true,
     .reloads = true,
     .set = &SetPrivateAllowed,
     .show = &ShowTexts<CAY_AT(manager.network.bounds.private_allowed)>},
    {.name = "network.deny",
     .flag = "",
     .value = "RULE",
     .example = "*.example.com",
     .doc = "What no sandbox reaches, whatever its own rules say: names, *.names, addresses and "
            "ranges, with :PORT or without.",
     .list = true,
     .reloads = true,
     .set = &SetNetworkDeny,
     .show = &ShowTexts<CAY_AT(manager.network.bounds.deny)>},
    {.name = "network.resolver",
     .flag = "",
     .value = "ADDRESS",
     .example = "192.0.2.53:53",
     .doc = "Servers (ADDRESS:PORT) that are asked for the names which sandboxes may reach. None: "
            "those of this machine's /etc/resolv.conf.",
     .list = true,
     .reloads = false,
     .set = &SetResolvers,
     .show = &ShowTexts<CAY_AT(manager.network.resolvers)>},
    {.name = "network.proxy",
     .flag = "",
     .value = "URL",
     .example = "http://proxy.example:3128",
     .doc = "The proxy through which connections of sandboxes are made: http://HOST:PORT (CONNECT) "
            "or socks5://HOST:PORT, with USER:PASSWORD@ before HOST in the file or the "
            "environment; a command line is seen by everybody. The proxy decides to which address "
            "a name leads.",
     .list = false,
     .reloads = false,
     .set = &SetProxy,
     .show = &ShowProxy},
    {.name = "network.no_proxy",
     .flag = "",
     .value = "RULE",
     .example = "*.corp.example",
     .doc = "What is connected to without the proxy: names, *.names, and addresses and ranges for "
            "what programs name by address.",
     .list = true,
     .reloads = false,
     .set = &SetNoProxy,
     .show = &ShowTexts<CAY_AT(manager.network.no_proxy)>},
    {.name = "network.max_connections",
     .flag = "",
     .value = "NUMBER",
     .example = "64",
     .doc = "Connections of a sandbox at the same time, at most; more is refused. The maxima of "
            "networks are also what a sandbox has that asks for no limit, where they are less "
            "than what it would have.",
     .list = false,
     .reloads = true,
     CAY_KIND(Count, manager.network.maxima.connections)},
    {.name = "network.max_connections_per_second",
     .flag = "",
     .value = "NUMBER",
     .example = "50",
     .doc = "New connections of a sandbox in a second, at most; 0: no maximum.",
     .list = false,
     .reloads = true,
     CAY_KIND(Count, manager.network.maxima.connections_per_second)},
    {.name = "network.max_bytes_per_second",
     .flag = "",
     .value = "SIZE",
     .example = "10m",
     .doc = "Bytes of a sandbox's connections in a second, at most; 0: no maximum.",
     .list = false,
     .reloads = true,
     CAY_UNIT(Bytes, manager.network.maxima.bytes_per_second)},
    {.name = "network.max_bytes",
     .flag = "",
     .value = "SIZE",
     .example = "10g",
     .doc = "Bytes of a sandbox's connections in all, at most; 0: no maximum.",
     .list = false,
     .reloads = true,
     CAY_UNIT(Bytes, manager.network.maxima.bytes)},
    {.name = "network.max_idle",
     .flag = "",
     .value = "TIME",
     .example = "10m",
     .doc = "How long a connection of a sandbox may be idle, at most; 0: no maximum.",
     .list = false,
     .reloads = true,
     CAY_UNIT(Duration, manager.network.maxima.idle)},
    {.name = "network.publish_addresses",
     .flag = "",
     .value = "ADDRESS",
     .example = "0.0.0.0",
     .doc = "Addresses of this machine on which ports of sandboxes may be published, beside "
            "loopback ones; 0.0.0.0 is all of IPv4.",
     .list = true,
     .reloads = true,
     .set = &SetPublishAddresses,
     .show = &ShowTexts<CAY_AT(manager.network.publish_addresses)>},
    {.name = "templates",
     .flag = "",
     .value = "NAME.network.WORD=VALUE",
     .example = "host.network.mode=allow",
     .doc =
         "The network of sandboxes of a template whose creators ask for none: mode, allow, deny, "
         "presets, join and limits, within network.*; in the file tables "
         "[templates.NAME.network].",
     .list = true,
     .reloads = true,
     .set = &SetTemplates,
     .show = &ShowTexts<CAY_AT(templates)>},
};

}  // namespace cay::config
