// SPDX-License-Identifier: MIT

// bench/server.go - the servers on Go's net.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"os"
)

const (
	piece = 16384
	bulk  = 65536
)

func echo(client net.Conn) {
	bytes := make([]byte, piece)
	for {
		n, err := client.Read(bytes)
		if err != nil {
			return
		}
		if _, err = client.Write(bytes[:n]); err != nil {
			return
		}
	}
}

// Lines go back together when no more of them have come.
func lines(client net.Conn) {
	in, out := bufio.NewReaderSize(client, piece), bufio.NewWriterSize(client, piece)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		out.Write(line)
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}

func sink(client net.Conn) {
	bytes, total := make([]byte, bulk), uint64(0)
	for {
		n, err := client.Read(bytes)
		if err != nil {
			break
		}
		total += uint64(n)
	}
	var told [8]byte
	binary.LittleEndian.PutUint64(told[:], total)
	client.Write(told[:])
}

func main() {
	modes := map[string]func(net.Conn){"echo": echo, "lines": lines, "sink": sink}
	if len(os.Args) != 2 || modes[os.Args[1]] == nil {
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	for {
		client, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer client.Close()
			modes[os.Args[1]](client)
		}()
	}
}
