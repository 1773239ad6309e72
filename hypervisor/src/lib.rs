//! Defines, starts, cuts off and watches virtual machines, and gives them a switch.
