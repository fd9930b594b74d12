// HTTP in both directions.
package main

import (
	"fmt"
	"net/url"
	"strings"

	probe "it/hostprobe/host_probe"
)

type response = probe.WasiHttp0_2_0_TypesFutureIncomingResponse

func method(name string) probe.WasiHttp0_2_0_TypesMethod {
	switch name {
	case "GET":
		return probe.WasiHttp0_2_0_TypesMethodGet()
	case "POST":
		return probe.WasiHttp0_2_0_TypesMethodPost()
	default:
		return probe.WasiHttp0_2_0_TypesMethodOther(name)
	}
}

// send starts a request; the text says why not.
func send(name, location, body string) (response, string) {
	calls++
	parsed, err := url.Parse(location)
	if err != nil {
		return 0, err.Error()
	}
	fields := probe.NewFields()
	fields.Append("X-Test", []byte("yes"))
	request := probe.NewOutgoingRequest(fields)
	request.SetMethod(method(name))
	if parsed.Scheme == "https" {
		request.SetScheme(probe.Some(probe.WasiHttp0_2_0_TypesSchemeHttps()))
	} else {
		request.SetScheme(probe.Some(probe.WasiHttp0_2_0_TypesSchemeHttp()))
	}
	request.SetAuthority(probe.Some(parsed.Host))
	request.SetPathWithQuery(probe.Some(parsed.RequestURI()))
	var outgoing probe.WasiHttp0_2_0_TypesOutgoingBody
	if body != "" {
		taken := request.Body()
		outgoing = taken.Unwrap()
	}
	sent := probe.WasiHttp0_2_0_OutgoingHandlerHandle(request, probe.None[probe.WasiHttp0_2_0_TypesRequestOptions]())
	if sent.IsErr() {
		return 0, fmt.Sprintf("refused: %d", sent.UnwrapErr().Kind())
	}
	if body != "" {
		written := outgoing.Write()
		stream := written.Unwrap()
		stream.BlockingWriteAndFlush([]byte(body))
		stream.Drop()
		probe.StaticOutgoingBodyFinish(outgoing, probe.None[probe.WasiHttp0_2_0_TypesFields]())
	}
	return sent.Unwrap(), ""
}

// ready waits for a response.
func ready(future response) {
	poll := future.Subscribe()
	poll.Block()
	poll.Drop()
}

// begin takes the head of the response of a request that is ready.
func begin(future response) (incoming probe.WasiHttp0_2_0_TypesIncomingResponse, failure string) {
	defer future.Drop()
	got := future.Get()
	if got.IsNone() {
		return incoming, "not ready"
	}
	once := got.Unwrap()
	result := once.Unwrap()
	if result.IsErr() {
		return incoming, fmt.Sprintf("error: %d", result.UnwrapErr().Kind())
	}
	return result.Unwrap(), ""
}

// receive reads the response of a request that is ready.
func receive(future response) string {
	incoming, failure := begin(future)
	if failure != "" {
		return failure
	}
	defer incoming.Drop()
	status := incoming.Status()
	consumed := incoming.Consume()
	body := consumed.Unwrap()
	streamed := body.Stream()
	stream := streamed.Unwrap()
	var text strings.Builder
	for {
		chunk := stream.BlockingRead(7)
		if chunk.IsErr() {
			break
		}
		text.Write(chunk.Unwrap())
	}
	stream.Drop()
	trailers := probe.StaticIncomingBodyFinish(body)
	trailers.Drop()
	return fmt.Sprintf("%d %s", status, text.String())
}

// relay posts the first part of a body elsewhere before it reads the rest, without ever waiting in a reading.
func relay(i impl, location, to string, first func()) string {
	future, refused := send("GET", location, "")
	if refused != "" {
		return refused
	}
	ready(future)
	incoming, failure := begin(future)
	if failure != "" {
		return failure
	}
	defer incoming.Drop()
	consumed := incoming.Consume()
	body := consumed.Unwrap()
	defer body.Drop()
	streamed := body.Stream()
	stream := streamed.Unwrap()
	defer stream.Drop()
	var text strings.Builder
	for {
		chunk := stream.Read(1024)
		if chunk.IsErr() {
			err := chunk.UnwrapErr()
			if err.Kind() == probe.WasiIo0_2_0_StreamsStreamErrorKindClosed {
				return text.String()
			}
			code := probe.WasiHttp0_2_0_TypesHttpErrorCode(err.GetLastOperationFailed())
			if code.IsNone() {
				return "an error without a code"
			}
			failed := code.Unwrap()
			return fmt.Sprintf("%s, then error: %d", text.String(), failed.Kind())
		}
		data := chunk.Unwrap()
		if len(data) == 0 {
			poll := stream.Subscribe()
			poll.Block()
			poll.Drop()
			continue
		}
		text.Write(data)
		if first != nil {
			first()
			first = nil
			if told := i.Http("POST", to, string(data)); !strings.HasPrefix(told, "202 ") {
				return told
			}
		}
	}
}

func (i impl) HttpRelay(location, to string) string {
	return relay(i, location, to, func() {})
}

func (i impl) HttpRelayOnce(location, to string) string {
	probe.GolemApi1_1_0_HostSetIdempotenceMode(false)
	return relay(i, location, to, func() { probe.GolemApi1_1_0_HostSetIdempotenceMode(true) })
}

func (impl) HttpTrailers(location string) string {
	future, refused := send("GET", location, "")
	if refused != "" {
		return refused
	}
	ready(future)
	incoming, failure := begin(future)
	if failure != "" {
		return failure
	}
	defer incoming.Drop()
	consumed := incoming.Consume()
	trailers := probe.StaticIncomingBodyFinish(consumed.Unwrap())
	defer trailers.Drop()
	for {
		got := trailers.Get()
		if got.IsNone() {
			poll := trailers.Subscribe()
			poll.Block()
			poll.Drop()
			continue
		}
		once := got.Unwrap()
		result := once.Unwrap()
		if result.IsErr() {
			return fmt.Sprintf("error: %d", result.UnwrapErr().Kind())
		}
		fields := result.Unwrap()
		if fields.IsNone() {
			return "none"
		}
		some := fields.Unwrap()
		defer some.Drop()
		var text strings.Builder
		for _, entry := range some.Entries() {
			fmt.Fprintf(&text, "%s=%s;", entry.F0, entry.F1)
		}
		return text.String()
	}
}

func (impl) Http(name, location, body string) string {
	future, refused := send(name, location, body)
	if refused != "" {
		return refused
	}
	ready(future)
	return receive(future)
}

func (impl) HttpBoth(one, other string) []string {
	first, refused := send("GET", one, "")
	if refused != "" {
		return []string{refused}
	}
	second, refused := send("GET", other, "")
	if refused != "" {
		return []string{refused}
	}
	answers := make([]string, 2)
	futures := []response{first, second}
	polls := []probe.WasiIo0_2_0_PollPollable{first.Subscribe(), second.Subscribe()}
	slots := []int{0, 1}
	for len(polls) > 0 {
		at := probe.WasiIo0_2_0_PollPoll(polls)[0]
		polls[at].Drop()
		answers[slots[at]] = receive(futures[slots[at]])
		polls = append(polls[:at], polls[at+1:]...)
		slots = append(slots[:at], slots[at+1:]...)
	}
	return answers
}

func (i impl) HttpOnce(location string) string {
	probe.GolemApi1_1_0_HostSetIdempotenceMode(false)
	return i.Http("POST", location, "once")
}

func (impl) HttpForget(location string) {
	// Neither waited for nor dropped: the platform closes it when this invocation ends.
	send("GET", location, "")
}

type handler struct{}

func init() { probe.SetExportsWasiHttp0_2_0_IncomingHandler(handler{}) }

func (handler) Handle(request probe.WasiHttp0_2_0_TypesIncomingRequest, out probe.WasiHttp0_2_0_TypesResponseOutparam) {
	calls++
	path := request.PathWithQuery()
	headers := request.Headers()
	var greeting string
	for _, value := range headers.Get("x-greeting") {
		greeting += string(value)
	}
	headers.Drop()
	consumed := request.Consume()
	incoming := consumed.Unwrap()
	streamed := incoming.Stream()
	stream := streamed.Unwrap()
	var body strings.Builder
	for {
		chunk := stream.BlockingRead(1024)
		if chunk.IsErr() {
			break
		}
		body.Write(chunk.Unwrap())
	}
	stream.Drop()
	incoming.Drop()
	request.Drop()
	if strings.HasPrefix(path.Unwrap(), "/panic") {
		panic("asked to")
	}

	fields := probe.NewFields()
	fields.Append("x-calls", []byte(fmt.Sprint(calls)))
	answer := probe.NewOutgoingResponse(fields)
	answer.SetStatusCode(201)
	taken := answer.Body()
	outgoing := taken.Unwrap()
	probe.StaticResponseOutparamSet(out, probe.Ok[probe.WasiHttp0_2_0_TypesOutgoingResponse, probe.WasiHttp0_2_0_TypesErrorCode](answer))
	written := outgoing.Write()
	sink := written.Unwrap()
	sink.BlockingWriteAndFlush([]byte(fmt.Sprintf("%s %s %s", path.Unwrap(), greeting, body.String())))
	sink.Drop()
	probe.StaticOutgoingBodyFinish(outgoing, probe.None[probe.WasiHttp0_2_0_TypesFields]())
}
