#include "http/transport/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace cay::http {
namespace {

// RFC 7301: one protocol, with its length before it.
constexpr std::array<unsigned char, 9> kHttp11 = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

// The first of OpenSSL's errors of this thread, as text; empties the list.
std::string OpenSslReason() {
  const unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  if (code == 0) return "the connection ended";
  std::array<char, 256> text{};
  ::ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

Error TlsError(std::string_view what) {
  return {ErrorCode::kProtocol, Fault::kCaller, std::string(what) + ": " + OpenSslReason()};
}

Error SetUpError(std::string_view what) {
  return Error::Invalid("TLS: " + std::string(what) + ": " + OpenSslReason());
}

// OpenSSL's own socket BIO raises SIGPIPE when the peer has gone. This one does not.
int BioFd(BIO* bio) { return static_cast<int>(reinterpret_cast<intptr_t>(::BIO_get_data(bio))); }

int BioWrite(BIO* bio, const char* bytes, int size) {
  ::BIO_clear_retry_flags(bio);
  const ssize_t put = ::send(BioFd(bio), bytes, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (put < 0 && (errno == EAGAIN || errno == EINTR)) ::BIO_set_retry_write(bio);
  return static_cast<int>(put);
}

int BioRead(BIO* bio, char* space, int size) {
  ::BIO_clear_retry_flags(bio);
  const ssize_t got = ::recv(BioFd(bio), space, static_cast<size_t>(size), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) ::BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

long BioControl(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* SocketMethod() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (made == nullptr) return made;
    ::BIO_meth_set_write(made, BioWrite);
    ::BIO_meth_set_read(made, BioRead);
    ::BIO_meth_set_ctrl(made, BioControl);
    return made;
  }();
  return method;
}

Error OutOfMemory() {
  return {ErrorCode::kResourceExhausted, Fault::kMachine, "TLS: no memory: " + OpenSslReason()};
}

void SetUpServer(SSL_CTX* raw) {
  ::SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  ::SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
  ::SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
  // Tickets carry resumption; a cache in here would only grow.
  ::SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_alpn_select_cb(
      raw,
      [](SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
         unsigned in_size, void*) {
        unsigned char* selected = nullptr;
        const int found = ::SSL_select_next_proto(&selected, out_size, kHttp11.data(),
                                                  kHttp11.size(), in, in_size);
        *out = selected;
        return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
      },
      nullptr);
}

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Memory = std::unique_ptr<BIO, Deleter<&BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Deleter<&X509_free>>;

Memory Reading(std::string_view text) {
  return Memory(::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Those of a text, one after the other, until there is no more; how many there were.
template <class Use>
Result<size_t> EachCertificate(std::string_view text, const Use& use) {
  const Memory memory = Reading(text);
  size_t count = 0;
  while (memory) {
    const Certificate certificate(::PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
    if (!certificate) break;
    if (!use(certificate.get(), count++)) return Failure(SetUpError("a certificate"));
  }
  const unsigned long last = ::ERR_peek_last_error();
  if (last != 0 && ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
    return Failure(SetUpError("a certificate"));
  ::ERR_clear_error();
  return count;
}

}  // namespace

TlsSession::~TlsSession() { ::SSL_free(ssl_); }

Result<TlsSession::Wants> TlsSession::Handshake() {
  ::ERR_clear_error();
  const int done = ::SSL_do_handshake(ssl_);
  wants_ = Wants::kNothing;
  if (done == 1) return wants_;
  switch (::SSL_get_error(ssl_, done)) {
    case SSL_ERROR_WANT_READ:
      wants_ = Wants::kRead;
      return wants_;
    case SSL_ERROR_WANT_WRITE:
      wants_ = Wants::kWrite;
      return wants_;
    default:
      break;
  }
  const long verified = ::SSL_get_verify_result(ssl_);
  if (verified != X509_V_OK) {
    ::ERR_clear_error();
    return Failure(Error(ErrorCode::kProtocol, Fault::kCaller,
                         std::string("the server's certificate is not accepted: ") +
                             ::X509_verify_cert_error_string(verified)));
  }
  return Failure(TlsError("TLS handshake"));
}

Result<std::optional<size_t>> TlsSession::TryRead(std::span<char> space) {
  ::ERR_clear_error();
  size_t got = 0;
  const int done = ::SSL_read_ex(ssl_, space.data(), space.size(), &got);
  wants_ = Wants::kNothing;
  if (done == 1) return got;
  switch (::SSL_get_error(ssl_, done)) {
    case SSL_ERROR_WANT_READ:
      wants_ = Wants::kRead;
      return std::nullopt;
    case SSL_ERROR_WANT_WRITE:
      wants_ = Wants::kWrite;
      return std::nullopt;
    case SSL_ERROR_ZERO_RETURN:
      return size_t{0};
    default:
      return Failure(Error(ErrorCode::kUnavailable, Fault::kCaller,
                           "the other side broke the TLS connection off: " + OpenSslReason()));
  }
}

Result<size_t> TlsSession::TryWrite(std::string_view bytes) {
  ::ERR_clear_error();
  size_t put = 0;
  const int done = ::SSL_write_ex(ssl_, bytes.data(), bytes.size(), &put);
  wants_ = Wants::kNothing;
  if (done == 1) return put;
  switch (::SSL_get_error(ssl_, done)) {
    case SSL_ERROR_WANT_READ:
      wants_ = Wants::kRead;
      return size_t{0};
    case SSL_ERROR_WANT_WRITE:
      wants_ = Wants::kWrite;
      return size_t{0};
    default:
      return Failure(Error(ErrorCode::kUnavailable, Fault::kCaller,
                           "the other side broke the TLS connection off: " + OpenSslReason()));
  }
}

// What can be read at once. (SSL_has_pending also counts a part of a record, of which nothing can
// be read before the socket has its rest: who believed that would ask again and again.)
bool TlsSession::HasBuffered() const { return ::SSL_pending(ssl_) > 0; }

void TlsSession::CloseNotify() {
  ::ERR_clear_error();
  static_cast<void>(::SSL_shutdown(ssl_));  // the socket is closed in any case
  ::ERR_clear_error();
}

TlsContext::~TlsContext() { ::SSL_CTX_free(context_); }

Result<std::shared_ptr<TlsContext>> TlsContext::ForServer(const std::string& certificate_file,
                                                          const std::string& key_file) {
  ::ERR_clear_error();
  SSL_CTX* raw = ::SSL_CTX_new(::TLS_server_method());
  if (raw == nullptr) return Failure(OutOfMemory());
  std::shared_ptr<TlsContext> context(new TlsContext(raw));
  SetUpServer(raw);
  if (::SSL_CTX_use_certificate_chain_file(raw, certificate_file.c_str()) != 1) {
    return Failure(SetUpError("certificate " + certificate_file));
  }
  if (::SSL_CTX_use_PrivateKey_file(raw, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Failure(SetUpError("key " + key_file));
  }
  if (::SSL_CTX_check_private_key(raw) != 1) {
    return Failure(SetUpError("the key " + key_file + " is not that of " + certificate_file));
  }
  return context;
}

Result<std::shared_ptr<TlsContext>> TlsContext::ForClient(const std::string& ca_file) {
  ::ERR_clear_error();
  SSL_CTX* raw = ::SSL_CTX_new(::TLS_client_method());
  if (raw == nullptr) return Failure(OutOfMemory());
  std::shared_ptr<TlsContext> context(new TlsContext(raw));
  ::SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  ::SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  ::SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  const int loaded = ca_file.empty()
                         ? ::SSL_CTX_set_default_verify_paths(raw)
                         : ::SSL_CTX_load_verify_locations(raw, ca_file.c_str(), nullptr);
  if (loaded != 1) {
    return Failure(
        SetUpError(ca_file.empty() ? "the system's certificates" : "certificates " + ca_file));
  }
  return context;
}

Result<std::shared_ptr<TlsContext>> TlsContext::ForClientAlso(const std::string& more_ca_file) {
  auto context = TRY(ForClient({}));
  ::SSL_CTX_set_options(context->context_, SSL_OP_NO_RENEGOTIATION);
  if (!more_ca_file.empty() &&
      ::SSL_CTX_load_verify_locations(context->context_, more_ca_file.c_str(), nullptr) != 1)
    return Failure(SetUpError("certificates " + more_ca_file));
  return context;
}

Result<std::shared_ptr<TlsContext>> TlsContext::ForServerOf(std::string_view certificates,
                                                            std::string_view key) {
  ::ERR_clear_error();
  SSL_CTX* raw = ::SSL_CTX_new(::TLS_server_method());
  if (raw == nullptr) return Failure(OutOfMemory());
  std::shared_ptr<TlsContext> context(new TlsContext(raw));
  SetUpServer(raw);
  const size_t count = TRY(EachCertificate(certificates, [&](X509* certificate, size_t at) {
    return at == 0 ? ::SSL_CTX_use_certificate(raw, certificate) == 1
                   : ::SSL_CTX_add1_chain_cert(raw, certificate) == 1;
  }));
  const Memory memory = Reading(key);
  const std::unique_ptr<EVP_PKEY, Deleter<&EVP_PKEY_free>> read(
      ::PEM_read_bio_PrivateKey(memory.get(), nullptr, nullptr, nullptr));
  if (count == 0 || !read || ::SSL_CTX_use_PrivateKey(raw, read.get()) != 1 ||
      ::SSL_CTX_check_private_key(raw) != 1)
    return Failure(SetUpError("a certificate and its key"));
  return context;
}

Result<std::shared_ptr<TlsContext>> TlsContext::ForClientOf(std::string_view trusted) {
  ::ERR_clear_error();
  SSL_CTX* raw = ::SSL_CTX_new(::TLS_client_method());
  if (raw == nullptr) return Failure(OutOfMemory());
  std::shared_ptr<TlsContext> context(new TlsContext(raw));
  ::SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  ::SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION);
  ::SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  if (::SSL_CTX_set_alpn_protos(raw, kHttp11.data(), kHttp11.size()) != 0)
    return Failure(SetUpError("the protocols of a client"));
  X509_STORE* const store = ::SSL_CTX_get_cert_store(raw);
  const size_t count = TRY(EachCertificate(
      trusted, [&](X509* one, size_t) { return ::X509_STORE_add_cert(store, one) == 1; }));
  if (count == 0) return Failure(Error::Invalid("TLS: there is no certificate to trust"));
  return context;
}

Result<std::unique_ptr<TlsSession>> TlsContext::Make(int fd) const {
  ::ERR_clear_error();
  SSL* ssl = ::SSL_new(context_);
  if (ssl == nullptr) return Failure(OutOfMemory());
  std::unique_ptr<TlsSession> session(new TlsSession(ssl));
  BIO* bio = SocketMethod() == nullptr ? nullptr : ::BIO_new(SocketMethod());
  if (bio == nullptr) return Failure(OutOfMemory());
  // NOLINTNEXTLINE(performance-no-int-to-ptr): what a BIO keeps is a pointer, ours a number
  ::BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  ::BIO_set_init(bio, 1);
  ::SSL_set_bio(ssl, bio, bio);
  return session;
}

Result<std::unique_ptr<TlsSession>> TlsContext::Accept(int fd) const {
  auto session = TRY(Make(fd));
  ::SSL_set_accept_state(session->ssl_);
  return session;
}

Result<std::unique_ptr<TlsSession>> TlsContext::Connect(int fd, const std::string& host) const {
  auto session = TRY(Make(fd));
  SSL* ssl = session->ssl_;
  ::SSL_set_connect_state(ssl);
  // An address is looked for among the certificate's addresses, a name among its names.
  if (::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), host.c_str()) != 1) {
    ::ERR_clear_error();
    if (::SSL_set1_host(ssl, host.c_str()) != 1 ||
        ::SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                   const_cast<char*>(host.c_str())) != 1) {
      return Failure(SetUpError("the name " + host));
    }
  }
  return session;
}

}  // namespace cay::http
