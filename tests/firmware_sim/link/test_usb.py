"""Descriptors of a key, read by a library for USB devices and by python-fido2."""

import dataclasses

import pytest
from fido2.hid.base import parse_report_descriptor
from usb_protocol.types.descriptors.standard import (
    ConfigurationDescriptor,
    DeviceDescriptor,
    EndpointDescriptor,
    InterfaceDescriptor,
    StringDescriptor,
    StringLanguageDescriptor,
)

from firmware_sim.link import usb
from firmware_sim.link.hid_report import REPORT_DESCRIPTOR
from firmware_sim.link.usb import UsbIdentity, bcd_device
from firmware_sim.profiles import load_profile, profile_names


def test_python_fido2_takes_the_report_descriptor_for_a_security_key_s():
    assert parse_report_descriptor(REPORT_DESCRIPTOR) == (64, 64)
    assert len(REPORT_DESCRIPTOR) == 34


@pytest.mark.parametrize("name", profile_names())
def test_the_device_descriptor_is_the_profile_s(name):
    profile = load_profile(name)
    identity = UsbIdentity.of(profile, "0123")
    found = DeviceDescriptor.parse(identity.device_descriptor)
    assert (found.idVendor, found.idProduct) == (profile.vendor_id, profile.product_id)
    assert found.bLength == len(identity.device_descriptor) == 18
    assert found.bMaxPacketSize0 == 64
    assert found.bNumConfigurations == 1
    texts = [
        StringDescriptor.parse(identity.string_descriptor(index)).bString
        for index in (found.iManufacturer, found.iProduct, found.iSerialNumber)
        if index
    ]
    told = ["0123"] if profile.usb_serial_number else []
    assert texts == [profile.manufacturer, profile.product_name, *told]


def test_strings_are_in_english_and_no_more_than_there_are():
    identity = UsbIdentity.of(load_profile("reference"), "0123")
    assert StringLanguageDescriptor.parse(identity.string_descriptor(0)).wLANGID == [0x0409]
    assert identity.string_descriptor(4) is None
    assert dataclasses.replace(identity, serial_number="").string_descriptor(3) is None


def test_a_string_is_cut_where_its_descriptor_is_full():
    identity = dataclasses.replace(
        UsbIdentity.of(load_profile("reference"), "0123"), product_name="é" * 200
    )
    descriptor = identity.string_descriptor(2)
    assert len(descriptor) == descriptor[0] == 254
    assert StringDescriptor.parse(descriptor).bString == "é" * 126


@pytest.mark.parametrize(
    ("version", "bcd"),
    [
        ((0, 0, 0), 0x0000),
        ((5, 4, 3), 0x0543),
        ((12, 1, 0), 0x1210),
        ((255, 10, 255), 0x9999),
    ],
)
def test_a_version_in_binary_coded_decimal(version, bcd):
    assert bcd_device(version) == bcd


def test_one_configuration_of_one_hid_interface_with_two_interrupt_endpoints():
    data = usb.CONFIGURATION_DESCRIPTOR
    configuration = ConfigurationDescriptor.parse(data)
    assert configuration.wTotalLength == len(data)
    assert (configuration.bNumInterfaces, configuration.bConfigurationValue) == (1, 1)
    parts = []
    while data:
        assert len(data) >= data[0] > 0
        parts.append(data[: data[0]])
        data = data[data[0] :]
    assert [part[1] for part in parts] == [2, 4, 0x21, 5, 5]
    interface = InterfaceDescriptor.parse(parts[1])
    assert (interface.bInterfaceClass, interface.bInterfaceSubclass) == (3, 0)
    assert interface.bNumEndpoints == 2
    assert int.from_bytes(parts[2][7:9], "little") == len(REPORT_DESCRIPTOR)
    endpoints = [EndpointDescriptor.parse(part) for part in parts[3:]]
    assert [(each.bEndpointAddress, each.wMaxPacketSize) for each in endpoints] == [
        (0x81, 64),
        (0x01, 64),
    ]
    assert all(each.bmAttributes == 3 for each in endpoints)
