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
     .doc = "Addresses that are not public, ranges of them, and host.cay.internal:PORT (this "
            "machine), that the rules of sandboxes may name. None: none of them is ever reached.",
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
    {.name = "network.extra_ca",
     .flag = "",
     .value = "FILE",
     .example = "/etc/cay/corp-ca.pem",
     .doc = "Files (PEM) with authorities by whose certificates hosts of secrets are verified, "
            "beside this machine's.",
     .list = true,
     .reloads = false,
     .set = &SetExtraCa,
     .show = &ShowTexts<CAY_AT(manager.network.extra_ca)>},
    {.name = "network.cache",
     .flag = "",
     .value = "SIZE",
     .example = "2g",
     .doc = "What registries of packages send is kept up to this size, and given to later "
            "sandboxes of the same owner (docs/network.md); 0: nothing is.",
     .list = false,
     .reloads = false,
     .set = &SetCache,
     .show = &ShowUnit<CAY_AT(manager.network.cache), FormatBytes>},
    {.name = "network.cache_shared",
     .flag = "",
     .value = "BOOL",
     .example = "true",
     .doc = "Whether all owners are given what any of them has brought about. They can tell then, "
            "by the time of an answer, that another one asked for it.",
     .list = false,
     .reloads = false,
     .set = &SetFlag<CAY_AT(manager.network.cache_shared)>,
     .show = &ShowFlag<CAY_AT(manager.network.cache_shared)>},
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
};

}  // namespace cay::config
